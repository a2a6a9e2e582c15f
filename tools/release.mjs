// Makes a release: refuses what is not ready, runs all checks, packs, writes the list of what is in it (SBOM), and
// prints the command that publishes. Nothing leaves this machine, unless with `--publish`.
//
//   npm run release               all of it, up to the command
//   npm run release -- --check    only whether the tree, the version and the changelog are ready
//   npm run release -- --publish  publishes too; provenance needs a run in CI that may sign
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const options = process.argv.slice(2);
const root = process.cwd();
const out = join(root, "release");

try {
  const unknown = options.find((option) => !["--check", "--publish"].includes(option));
  if (unknown !== undefined) throw new Error(`there is no option ${unknown}: --check or --publish`);
  const own = json("package.json");
  checkReady(own);
  if (!options.includes("--check")) release(own);
} catch (error) {
  console.error(`release: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}

/** @throws Error with all that is not ready. */
function checkReady({ name, version, repository }) {
  const problems = [];
  const dirty = read("git", ["status", "--porcelain"]);
  if (dirty !== "") problems.push(`the tree has changes that are not committed:\n${dirty}`);
  if (!/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/.test(version)) problems.push(`"${version}" is no version`);
  const locked = json("package-lock.json").packages[""].version;
  if (locked !== version)
    problems.push(`package-lock.json has the version ${locked}, package.json ${version}`);
  const heading = readFileSync(join(root, "CHANGELOG.md"), "utf8")
    .split("\n")
    .find((line) => line.startsWith(`## ${version} `));
  if (heading === undefined) problems.push(`CHANGELOG.md has nothing about ${version}`);
  else if (!/ – \d{4}-\d{2}-\d{2}$/.test(heading)) {
    problems.push(`CHANGELOG.md says "${heading}": give it the day, as in "## ${version} – 2026-01-31"`);
  }
  if (read("git", ["tag", "--list", `v${version}`]) !== "")
    problems.push(`there is a tag v${version} already`);
  if (options.includes("--publish") && repository === undefined) {
    problems.push('package.json has no "repository", which provenance names');
  }
  if (problems.length > 0) throw new Error(`${name} ${version} is not ready:\n- ${problems.join("\n- ")}`);
  console.log(`${name} ${version} is ready`);
}

function release({ name, version }) {
  show("bash", [".ci/run"]);
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const [{ filename, files, size }] = JSON.parse(read("npm", ["pack", "--json", "--pack-destination", out]));
  const tarball = join(out, filename);
  const sbom = join(out, `${name}-${version}.cdx.json`);
  writeFileSync(sbom, `${JSON.stringify(billOfMaterials(name, tarball), undefined, 2)}\n`);
  console.log(`${tarball}: ${files.length} files, ${size} bytes, SHA-512 ${digest(tarball)}`);
  console.log(`${sbom}: what is installed with it`);
  const publish = ["publish", tarball, "--provenance", "--access", "public"];
  if (options.includes("--publish")) show("npm", publish);
  else console.log(`\nnpm ${publish.join(" ")}\ngit tag v${version} && git push origin v${version}`);
}

/**
 * What is there when somebody installs it: the package, its dependencies and the peers that it needs.
 *
 * @param {string} name
 * @param {string} tarball
 */
function billOfMaterials(name, tarball) {
  const folder = mkdtempSync(join(tmpdir(), "agentwire-sbom-"));
  try {
    writeFileSync(
      join(folder, "package.json"),
      '{ "name": "somebody", "version": "0.0.0", "private": true }\n',
    );
    read("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", tarball], folder);
    const bill = JSON.parse(read("npm", ["sbom", "--sbom-format", "cyclonedx"], folder));
    const somebody = bill.metadata.component["bom-ref"];
    // it is about the package, not about who has it
    bill.metadata.component = bill.components.find((component) => component.name === name);
    bill.components = bill.components.filter((component) => component.name !== name);
    // where this machine had them from; their purl says where everybody has
    for (const component of [bill.metadata.component, ...bill.components]) {
      component.externalReferences = component.externalReferences?.filter(
        ({ type }) => type !== "distribution",
      );
    }
    bill.dependencies = bill.dependencies.filter(({ ref }) => ref !== somebody);
    return bill;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function digest(file) {
  return createHash("sha512").update(readFileSync(file)).digest("base64");
}

function json(file) {
  return JSON.parse(readFileSync(join(root, file), "utf8"));
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} [cwd]
 */
function read(command, args, cwd = root) {
  return execFileSync(command, args, {
    cwd,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    stdio: ["ignore", "pipe", "inherit"],
  }).trim();
}

/**
 * @param {string} command
 * @param {string[]} args
 */
function show(command, args) {
  execFileSync(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
}
