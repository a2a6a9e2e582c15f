import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import os from "node:os";

const packages = ["@bufbuild/protobuf", "@connectrpc/connect-node", "@grpc/grpc-js", "ws"];

/**
 * What was measured on what.
 *
 * @param {string} node the binary that the processes run
 */
export function environment(node) {
  return {
    date: new Date().toISOString(),
    node: outputOf(node, ["--version"]) ?? "unknown",
    go: outputOf("go", ["env", "GOVERSION"]) ?? "none",
    processors: `${os.cpus().length} × ${os.cpus()[0]?.model ?? "unknown"}`,
    system: `${os.type()} ${os.release()}`,
    packages: Object.fromEntries(packages.map((name) => [name, versionOf(name)])),
  };
}

/** @param {string} name */
function versionOf(name) {
  const file = new URL(`../../node_modules/${name}/package.json`, import.meta.url);
  return JSON.parse(readFileSync(file, "utf8")).version;
}

/**
 * @param {string} command
 * @param {string[]} args
 */
function outputOf(command, args) {
  try {
    return execFileSync(command, args, { encoding: "utf8" }).trim();
  } catch {
    return undefined;
  }
}
