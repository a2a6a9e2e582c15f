import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

const tool = fileURLToPath(new URL("../../dist/node/main.js", import.meta.url));

/** What of the environment of whoever runs the tests might point a tool somewhere else. */
const cleanEnv = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith("CODER")),
);

/** Runs the built tool as a process; it is ended with the test. */
export function startTool(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [tool, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...cleanEnv, ...env },
  });
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => {
    output.stdout += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    output.stderr += chunk.toString();
  });
  const exit = once(child, "close").then(([code, signal]) => ({ code, signal }));
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await exit;
  });
  return { child, output, exit };
}
