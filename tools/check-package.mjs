// Checks the package as its users get it: what is in it, its exports and types, its size, and that it works when
// installed, as ES modules and as CommonJS. Prints what it found; exits with 1 if something is wrong.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "tsdown";

const root = fileURLToPath(new URL("..", import.meta.url));
/** A tenth of a megabyte of it is the page. */
const maxPackedBytes = 1_600_000;
const peers = /^@(bufbuild\/protobuf|connectrpc\/connect)(\/|$)/;
/**
 * What is bundled of the clients for browsers, and how large it may be with gzip, without the peers but with the
 * descriptors. All are held close to what they are.
 */
const browserClients = [
  { entry: "client/agent", name: "dialAgent", maxBytes: 32_700, isAgentOnly: true },
  { entry: "client/agent", name: "*", maxBytes: 48_600, isAgentOnly: true },
  { entry: "client", name: "dialAgent", maxBytes: 35_000 },
  { entry: "client", name: "*", maxBytes: 55_400 },
];
/** The relays, which the manifest of an agent has, and the version in which each RPC came. */
const sharedWithTailnet = /^coder\.tailnet\.v2\.(DERPMap\b.*|Tailnet)$/;

/** What the README begins with, on one machine. */
const call = `
import { dialAgent } from "agentwire";
import { startControlPlane } from "agentwire/server";
const adminToken = "of this one check";
const plane = await startControlPlane({
  workspaces: [{ owner: "ada", name: "dev", agents: [{ name: "main" }] }],
  adminToken,
});
const connection = await dialAgent({ url: plane.url, token: plane.agents[0].token });
const { agentName } = await connection.agent.getManifest({});
console.log(agentName, connection.version.major + "." + connection.version.minor);
await connection.close();
// what the page has its data from
const { status } = await fetch(plane.url + "/agentwire.admin.v1.AdminService/ListWorkspaces", {
  method: "POST",
  headers: { "Content-Type": "application/json", Authorization: "Bearer " + adminToken },
  body: "{}",
});
console.log("admin API " + status);
await plane.close();
`;

const folder = mkdtempSync(join(tmpdir(), "agentwire-package-"));
try {
  npx("publint", "--strict");
  npx("attw", "--pack", ".", "--profile", "node16", "--quiet");
  const tarball = checkContents();
  await checkBrowserClients();
  checkInstalled(tarball);
} catch (error) {
  process.exitCode = 1;
  console.error(`check-package: ${error instanceof Error ? error.message : error}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** @returns {string} the packed package */
function checkContents() {
  const output = run("npm", ["pack", "--json", "--pack-destination", folder], root);
  const [{ filename, size, files }] = JSON.parse(output);
  const allowed =
    /^(dist\/.*\.(c?js|d\.c?ts)|dist\/agentwire\.1|dist\/page\/[a-z-]+\.(html|css|svg|txt)|proto\/.*\.proto|examples\/([a-z]+\/)?[a-z-]+\.(yaml|ts|html)|[A-Z]+(\.md)?|package\.json)$/;
  const strange = files.map(({ path }) => path).filter((path) => !allowed.test(path));
  if (strange.length > 0) throw new Error(`the package has files that nobody needs: ${strange.join(", ")}`);
  for (const needed of [
    "dist/agentwire.1",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    "proto/coder/agent/v2/agent.proto",
  ]) {
    if (!files.some(({ path }) => path === needed)) throw new Error(`the package lacks ${needed}`);
  }
  console.log(`${files.length} files, ${size} bytes packed (at most ${maxPackedBytes})`);
  if (size > maxPackedBytes) throw new Error("the package has grown too large");
  // one other character makes V8 keep the text of the file with two bytes for each
  for (const { path } of files) {
    if (!/^dist\/node\/.*js$/.test(path)) continue;
    const bytes = readFileSync(join(root, path));
    if (bytes.some((byte) => byte > 0x7f)) throw new Error(`${path} is not ASCII`);
  }
  return join(folder, filename);
}

/** Bundles the clients as for a browser: nothing of Node may be in them, and what nobody imports is left out. */
async function checkBrowserClients() {
  for (const client of browserClients) {
    const { entry, name, maxBytes } = client;
    const label = `agentwire/${entry} for browsers, ${name}`;
    const { code, modules } = await bundled(client, [peers]);
    const fromNode = /\bfrom\s*["']node:|\brequire\(["']node:/.exec(code);
    if (fromNode !== null) throw new Error(`${label} imports a module of Node`);
    if (client.isAgentOnly) checkNoTailnet(label, code, modules);
    const size = gzipSync(code).length;
    const whole = gzipSync((await bundled(client, [])).code).length;
    console.log(`${label}: ${size} bytes with gzip (at most ${maxBytes}), ${whole} with its peers`);
    if (size > maxBytes) throw new Error(`${label} has grown too large`);
  }
}

/**
 * @param {string} label
 * @param {string} code
 * @param {readonly string[]} modules
 */
function checkNoTailnet(label, code, modules) {
  const module = modules.find((path) => /\/tailnet/.test(path.replace(/tailnet\/v2\/derp_map_/, "")));
  if (module !== undefined) throw new Error(`${label} has ${module}, which is of the tailnet service`);
  for (const [text] of code.matchAll(/\bcoder\.tailnet\.v2\.[A-Za-z.]+/g)) {
    if (!sharedWithTailnet.test(text))
      throw new Error(`${label} has ${text}, which is of the tailnet service`);
  }
}

/**
 * @param {{ entry: string, name: string }} client
 * @param {readonly RegExp[]} external
 * @returns {Promise<{ code: string, modules: string[] }>} modules of which there is something in it
 */
async function bundled({ entry, name }, external) {
  const source = join(folder, "client.js");
  const exported = `export ${name === "*" ? "*" : `{ ${name} }`}`;
  writeFileSync(source, `${exported} from ${JSON.stringify(join(root, `dist/${entry}/index.js`))};\n`);
  /** @type {string[]} */
  const modules = [];
  const outDir = `${source}.bundle`;
  await build({
    config: false,
    entry: { client: source },
    outDir,
    format: "esm",
    platform: "browser",
    minify: true,
    dts: false,
    external: [...external],
    noExternal: (id) => !external.some((pattern) => pattern.test(id)),
    logLevel: "silent",
    plugins: [
      {
        name: "list-modules",
        generateBundle(_options, bundle) {
          for (const chunk of Object.values(bundle)) {
            if (chunk.type !== "chunk") continue;
            for (const [id, { renderedLength }] of Object.entries(chunk.modules)) {
              if (renderedLength > 0) modules.push(id);
            }
          }
        },
      },
    ],
  });
  return { code: readFileSync(join(outDir, "client.js"), "utf8"), modules };
}

/** @param {string} tarball */
function checkInstalled(tarball) {
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  const { exports, devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  // the one optional package without which an entry cannot load
  const api = `@opentelemetry/api@${devDependencies["@opentelemetry/api"]}`;
  run("npm", ["install", "--no-audit", "--no-fund", "--no-package-lock", tarball, api], folder);
  const entries = Object.keys(exports)
    .filter((entry) => entry !== "./package.json")
    .map((entry) => `agentwire${entry.slice(1)}`);
  const imports = entries.map((entry) => `await import(${JSON.stringify(entry)});`).join("\n");
  const requires = entries.map((entry) => `require(${JSON.stringify(entry)});`).join("\n");
  writeFileSync(join(folder, "all.mjs"), imports);
  writeFileSync(join(folder, "all.cjs"), requires);
  writeFileSync(join(folder, "call.mjs"), call);
  run(process.execPath, ["all.mjs"], folder);
  run(process.execPath, ["all.cjs"], folder);
  const answer = run(process.execPath, ["call.mjs"], folder);
  if (answer !== "main 2.10\nadmin API 200\n")
    throw new Error(`an installed client and server said ${JSON.stringify(answer)}`);
  const versions = run("npx", ["--no-install", "agentwire", "versions"], folder);
  if (!versions.includes("Agent/GetManifest")) throw new Error("the installed tool does not work");
  console.log(
    `installed: ${entries.length} entries load as ES modules and as CommonJS, a call and the admin API work, the tool runs`,
  );
}

/** @param {...string} args */
function npx(...args) {
  run("npx", ["--no-install", ...args], root);
  console.log(`${args[0]}: nothing to complain about`);
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} cwd
 */
function run(command, args, cwd) {
  try {
    return execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    const { stdout = "", stderr = "" } = /** @type {{ stdout?: string, stderr?: string }} */ (error);
    throw new Error(`${command} ${args.join(" ")} failed:\n${stdout}${stderr}`);
  }
}
