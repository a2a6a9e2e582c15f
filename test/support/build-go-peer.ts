import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** The built Go peer, or an empty text where Go is missing. */
    goPeer: string;
  }
}

/** Builds the Go peer before the tests. Without Go the tests that need it are skipped, and this says so. */
export default function buildGoPeer(project: TestProject): void {
  const folder = fileURLToPath(new URL("../interop/peer/", import.meta.url));
  const binary = `${folder}bin/peer`;
  try {
    execFileSync("go", ["version"], { stdio: "ignore" });
  } catch {
    console.warn("\n*** Go is not installed: the tests against the Go libraries are SKIPPED. ***\n");
    project.provide("goPeer", "");
    return;
  }
  execFileSync("go", ["build", "-o", binary, "."], { cwd: folder, stdio: "inherit" });
  project.provide("goPeer", binary);
}
