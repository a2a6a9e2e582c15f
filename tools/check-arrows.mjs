// Holds the direction of imports between the rooms of src/: arrows point down only.
// Prints every import that breaks a rule and exits with 1 if there is one.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

/** For each room, the other rooms it may import. */
const rooms = {
  // the package's own entry
  "index.ts": ["client"],
  "index-node.ts": ["client"],
  codec: [],
  gen: ["codec"],
  version: ["gen"],
  transport: ["codec"],
  rpc: ["transport", "codec"],
  client: ["rpc", "version", "transport", "codec", "gen"],
  store: ["codec"],
  server: ["store", "rpc", "version", "transport", "codec", "gen"],
  observe: ["rpc", "version", "transport", "codec", "gen"],
  local: ["client", "rpc", "version", "transport", "codec", "gen"],
  agent: ["local", "client", "rpc", "version", "transport", "codec", "gen"],
  testing: ["server", "store", "client", "rpc", "version", "transport", "codec", "gen"],
  cli: [
    "agent",
    "local",
    "client",
    "testing",
    "server",
    "store",
    "observe",
    "rpc",
    "version",
    "transport",
    "codec",
    "gen",
  ],
};

/** Rooms that run in any runtime: only their *-node.ts files may import Node and ws. */
const portable = ["transport", "rpc", "version", "client", "observe"];
/** Packages that exist on Node only. */
const nodePackages = ["ws", "https-proxy-agent", "proxy-from-env", "@connectrpc/connect-node", "yaml"];

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..", "src");

function* sources(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (/\.tsx?$/.test(entry.name)) yield path;
  }
}

/** @returns {string | undefined} what is wrong with one import */
function complaint(file, specifier) {
  const [room] = relative(root, file).split(sep);
  const isNodeFile = /-node\.ts$/.test(file);
  if (specifier.startsWith(".")) {
    const target = relative(root, resolve(dirname(file), specifier)).split(sep);
    if (target[0] === "..") return "leaves src/";
    if (portable.includes(room) && !isNodeFile && /-node\.js$/.test(specifier)) {
      return `src/${room} runs in every runtime: only a *-node.ts file may import a *-node.ts file`;
    }
    if (target[0] === room) return undefined;
    if (!rooms[room]?.includes(target[0])) {
      return `src/${room} may import only ${rooms[room]?.join(", ") || "nothing"}`;
    }
    return undefined;
  }
  if (room === "codec") return "src/codec imports nothing from outside: bytes in, bytes out";
  const isNodeOnly = specifier.startsWith("node:") || nodePackages.includes(specifier);
  if (portable.includes(room) && !isNodeFile && isNodeOnly) {
    return `src/${room} runs in every runtime: Node-only parts live in *-node.ts files`;
  }
  return undefined;
}

let broken = 0;
let files = 0;
for (const file of sources(root)) {
  const [room] = relative(root, file).split(sep);
  files++;
  if (!(room in rooms) && relative(root, file).includes(sep)) {
    console.error(`${relative(dirname(root), file)}: src/${room} is not a room; see tools/check-arrows.mjs`);
    broken++;
  }
  for (const { fileName } of ts.preProcessFile(readFileSync(file, "utf8"), true, true).importedFiles) {
    const why = complaint(file, fileName);
    if (why !== undefined) {
      console.error(`${relative(dirname(root), file)} imports "${fileName}": ${why}`);
      broken++;
    }
  }
}
console.log(`arrows: ${files} files, ${broken} broken`);
process.exit(broken === 0 ? 0 : 1);
