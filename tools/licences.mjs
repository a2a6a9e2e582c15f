// The licences of all that comes with the package: its dependencies, those of these, and the optional peers. Checks that
// each is one of those that may be, and that docs/licences.md says the same; `--write` writes that page.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const page = `${root}docs/licences.md`;
const allowed = new Set(["MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "0BSD", "MPL-2.0"]);
/** In the public domain: it comes with the package for NATS, which only those install who have NATS. */
const exceptions = new Map([["tweetnacl", "Unlicense"]]);

const { packages } = JSON.parse(readFileSync(`${root}package-lock.json`, "utf8"));
const own = packages[""];
/** How each package comes with ours; the first way that is found counts. */
const found = new Map();
collect(Object.keys(own.dependencies ?? {}), "dependency");
const required = (name) => !own.peerDependenciesMeta?.[name]?.optional;
const peers = Object.keys(own.peerDependencies ?? {});
collect(peers.filter(required), "peer");
collect(Object.keys(own.optionalDependencies ?? {}), "optional");
collect(
  peers.filter((name) => !required(name)),
  "optional peer",
);

const rows = [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
const strange = rows.filter(({ name, licence }) => !isAllowed(licence) && exceptions.get(name) !== licence);
for (const { name, version, licence } of strange) {
  console.error(`${name} ${version} has the licence "${licence}", which may not be among the dependencies`);
}
const text = `# Licences

agentwire has the licence Apache-2.0. What is installed with it, and what may be (optional), has these. The page is made from the lock file; \`npm run licences\` writes it, and the lint step fails when it is out of date.

| package | version | licence | comes as |
|---|---|---|---|
${rows.map(({ name, version, licence, way }) => `| ${name} | ${version} | ${licence} | ${way} |`).join("\n")}
`;
if (process.argv.includes("--write")) {
  writeFileSync(page, text);
} else if (!existsSync(page) || readFileSync(page, "utf8") !== text) {
  console.error("docs/licences.md is out of date: npm run licences");
  process.exitCode = 1;
}
if (strange.length > 0) process.exitCode = 1;
console.log(`licences: ${rows.length} packages, ${strange.length} that may not be`);

/**
 * @param {string[]} names
 * @param {string} way
 */
function collect(names, way) {
  for (const name of names) visit(name, "", way, way);
}

/** Looks for a package as Node does: beside the one that wants it, then further out. */
function visit(name, from, way, firstWay) {
  let folder = from;
  for (;;) {
    const path = `${folder === "" ? "" : `${folder}/`}node_modules/${name}`;
    const entry = packages[path];
    if (entry !== undefined) {
      if (found.has(path)) return;
      const licence = licenceOf(path, entry);
      found.set(path, { name, version: entry.version, licence, way });
      const indirect = firstWay.startsWith("of ") ? firstWay : `of ${aOrAn(firstWay)}`;
      const wanted = { ...entry.dependencies, ...entry.optionalDependencies };
      for (const next of Object.keys(wanted)) visit(next, path, indirect, indirect);
      return;
    }
    if (folder === "") return; // an optional one, or one for another platform
    const at = folder.lastIndexOf("/node_modules/");
    folder = at < 0 ? "" : folder.slice(0, at);
  }
}

function aOrAn(way) {
  return /^[aeiou]/.test(way) ? `an ${way}` : `a ${way}`;
}

/** What the lock file says, or else the package itself. */
function licenceOf(path, entry) {
  if (entry.license !== undefined) return entry.license;
  const file = `${root}${path}/package.json`;
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")).license ?? "unknown") : "unknown";
}

/** One of several is enough; all of several are needed. */
function isAllowed(licence) {
  const choices = licence.replace(/^\(|\)$/g, "").split(" OR ");
  return choices.some((choice) => choice.split(" AND ").every((one) => allowed.has(one)));
}
