import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));

/**
 * Sees that what the candidates need has been built; Go's programs are built here.
 *
 * @param {readonly import("./candidates/index.mjs").Candidate[]} candidates
 * @throws Error that says what to do
 */
export function prepare(candidates) {
  const sides = candidates.flatMap(({ client, server }) => [client, server]);
  if (sides.some((side) => side.runtime === "node" && side.stack === "agentwire")) {
    if (!existsSync(here("../dist/client/index-node.js")) || !existsSync(here("../dist/server/index.js"))) {
      throw new Error("the package has not been built: run `npm run build` first");
    }
  }
  if (sides.some((side) => side.runtime === "go")) buildGo();
}

/** Programs that are there are taken where Go is not. */
function buildGo() {
  const { error, status } = spawnSync("go", ["build", "-o", "bin/", "./server", "./client"], {
    cwd: here("go"),
    stdio: ["ignore", "inherit", "inherit"],
  });
  const isBuilt = existsSync(here("go/bin/server")) && existsSync(here("go/bin/client"));
  if (status === 0 || (error !== undefined && isBuilt)) return;
  const names = "go, agentwire-go and go-agentwire";
  throw new Error(
    error === undefined
      ? "Go's programs in bench/go cannot be built"
      : `there is no Go here for the candidates ${names}: install it, or leave them out with --candidates`,
  );
}

/**
 * Installs Node 24 below bench/runtimes unless it is there.
 *
 * @returns {string} its binary
 */
export function node24() {
  const folder = here("runtimes");
  const binary = here(`runtimes/node_modules/node/bin/node${process.platform === "win32" ? ".exe" : ""}`);
  if (!existsSync(binary)) {
    const npm = process.platform === "win32" ? "npm.cmd" : "npm";
    execFileSync(npm, ["ci"], { cwd: folder, stdio: ["ignore", 2, 2] });
  }
  return binary;
}
