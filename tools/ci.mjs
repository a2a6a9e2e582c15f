// Everything that must hold before a change is taken. Ends with one line, `N passed, N failed[, N skipped]`: each test
// counts, and each further step counts as one. Exits with 1 unless all passed; tests against Go must not be skipped.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "agentwire-ci-"));
const report = join(folder, "tests.json");

const sum = { passed: 0, failed: 0, skipped: 0 };

installDebian("postgresql", () => hasPostgres());
installDebian("chromium", () => process.env["CHROMIUM"] !== undefined || existsSync("/usr/bin/chromium"));
const testsPassed = await run("tests", "npm ci && npm test", { AGENTWIRE_TEST_REPORT: report });
countTests(testsPassed);
await step("first run", "npm ci && npm start -- --once");
await step("lint: types, arrows, formatting", "npm run lint");
await step("schemas: lint, contract, generated code is fresh", "npm run lint:proto");
await step("package: exports, types, size, installed", "npm run check:package");
await countRuntimes();
await step("documents", "npm run docs");
await step("benchmark runs", "npm run bench:quick");
rmSync(folder, { recursive: true, force: true });

const skipped = sum.skipped > 0 ? `, ${sum.skipped} skipped` : "";
console.log(`${sum.passed} passed, ${sum.failed} failed${skipped}`);
process.exitCode = sum.failed > 0 ? 1 : 0;

/**
 * Tests of the store need a PostgreSQL server, those of pages a browser; on Debian both are packages. Where they cannot
 * be had the tests are skipped.
 *
 * @param {string} name
 * @param {() => boolean} isThere
 */
function installDebian(name, isThere) {
  if (isThere() || process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) return;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  for (const args of [
    ["update", "-q"],
    ["install", "-q", "-y", "--no-install-recommends", name],
  ]) {
    spawnSync("apt-get", args, { stdio: ["ignore", "ignore", "inherit"], env });
  }
}

function hasPostgres() {
  const folder = "/usr/lib/postgresql";
  return (
    existsSync(folder) && readdirSync(folder).some((version) => existsSync(`${folder}/${version}/bin/initdb`))
  );
}

/**
 * @param {string} name
 * @param {string} command
 */
async function step(name, command) {
  if (await run(name, command)) sum.passed++;
  else sum.failed++;
}

/**
 * @param {string} name
 * @param {string} command
 * @param {Record<string, string>} [env]
 * @returns {Promise<boolean>} whether it succeeded
 */
async function run(name, command, env = {}) {
  console.log(`\n=== ${name}: ${command}`);
  const begin = performance.now();
  const child = spawn(command, {
    cwd: root,
    shell: true,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, ...env },
  });
  const [code, signal] = await new Promise((resolve) => child.once("close", (...end) => resolve(end)));
  const seconds = ((performance.now() - begin) / 1000).toFixed(0);
  console.log(
    `=== ${name}: ${code === 0 ? "passed" : `FAILED (${signal ?? `exit ${code}`})`} in ${seconds} s`,
  );
  return code === 0;
}

/** Each run of the package on a runtime counts as a test. */
async function countRuntimes() {
  const log = join(folder, "runtimes.txt");
  const command = `set -o pipefail; npm run -s test:runtimes | tee ${log}`;
  const passed = await run("runtimes", `bash -c '${command}'`);
  const found = /^runtimes: (\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/m.exec(
    existsSync(log) ? readFileSync(log, "utf8") : "",
  );
  const [, ok = "0", failed = "0", skipped = "0"] = found ?? [];
  sum.passed += Number(ok);
  sum.failed += Number(failed);
  sum.skipped += Number(skipped);
  if (!passed && failed === "0") sum.failed++;
}

/**
 * Adds up what the test runner says; when it says nothing, or fails for another reason than a test, that is a failure.
 *
 * @param {boolean} passed
 */
function countTests(passed) {
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(
      readFileSync(report, "utf8"),
    );
    sum.passed += numPassedTests;
    sum.failed += numFailedTests;
    sum.skipped += numPendingTests + numTodoTests;
    if (!passed && numFailedTests === 0) sum.failed++;
    const withoutGo = testResults
      .filter(({ name }) => name.includes("/test/interop/"))
      .flatMap(({ assertionResults }) => assertionResults)
      .filter(({ status }) => status !== "passed" && status !== "failed").length;
    if (withoutGo > 0) {
      console.log(`${withoutGo} tests against Go were skipped: install Go`);
      sum.failed++;
    }
  } catch (error) {
    console.log(`the tests left no report: ${error}`);
    sum.failed++;
  }
}
