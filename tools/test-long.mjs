// What takes too long for every day: the whole suite on two versions of Node, then random tests and leak checks with a
// hundred times as many runs. Takes about three quarters of an hour. Exits with 1 if anything fails.
import { execFileSync, spawnSync } from "node:child_process";
import { delimiter, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { node24 } from "../bench/prepare.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const vitest = "node_modules/vitest/vitest.mjs";
const scale = "100";

const parts = [
  wholeSuiteOn(process.execPath),
  wholeSuiteOn(node24()),
  {
    name: `random tests and leak checks, ${scale} times as long`,
    node: process.execPath,
    filters: [
      "test/codec",
      "test/transport",
      "test/rpc",
      "test/version",
      "test/leaks",
      "test/client",
      "test/local",
      "test/server/tailnet/local-coordinator",
      "test/server/tailnet/signing-keys",
      "test/server/tailnet/workspace-updates",
    ],
    env: { AGENTWIRE_TEST_SCALE: scale },
  },
  {
    name: "random peers on PostgreSQL, 20 times as long",
    node: process.execPath,
    filters: ["test/server/tailnet/postgres-coordinator"],
    env: { AGENTWIRE_TEST_SCALE: "20" },
  },
];

run("build", "npm", ["run", "-s", "build"], {});
const failed = parts.filter(
  ({ name, node, filters, env }) => !run(name, node, [vitest, "run", ...filters], env),
);
console.log(failed.length === 0 ? "all passed" : `FAILED: ${failed.map(({ name }) => name).join("; ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;

/**
 * Every test; programs that tests start by the name `node` are run by the same Node.
 *
 * @param {string} node its binary
 */
function wholeSuiteOn(node) {
  const version = execFileSync(node, ["--version"], { encoding: "utf8" }).trim();
  const env = { PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ""}` };
  return { name: `the whole suite on Node ${version}`, node, filters: [], env };
}

/**
 * @param {string} name
 * @param {string} command
 * @param {string[]} args
 * @param {Record<string, string>} env
 */
function run(name, command, args, env) {
  console.log(`\n=== ${name}`);
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, ...env },
  });
  return status === 0;
}
