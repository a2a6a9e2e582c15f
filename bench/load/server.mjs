// The control plane under load: says where it is and who may connect, and on each line how often it has written.
import { createInterface } from "node:readline";
import { startControlPlane } from "agentwire/server";
import { openEmbeddedStore, openPostgresStore } from "agentwire/store/sql";

const { agents, database } = JSON.parse(process.argv[2] ?? "");
const isPostgres = /^postgres/.test(database);
const store = isPostgres ? await openPostgresStore(database) : await openEmbeddedStore(database);
const metadata = ["cpu", "memory", "disk"].map((key) => ({ key, script: "true", intervalSeconds: 10 }));
const workspaces = Array.from({ length: agents }, (_, i) => ({
  owner: `user-${i % 100}`,
  name: `workspace-${i}`,
  agents: [{ name: "main", metadata, apps: [{ slug: "app" }] }],
}));

let statements = 0;
const counted = new Proxy(store, {
  get(target, name) {
    const value = Reflect.get(target, name, target);
    if (typeof value !== "function") return value;
    const isWrite = /^(insert|update|replace|mark|delete)/.test(String(name));
    return (/** @type {unknown[]} */ ...args) => {
      if (isWrite) statements++;
      return value.apply(target, args);
    };
  },
});

const plane = await startControlPlane({ store: counted, workspaces });
console.log(JSON.stringify({ url: plane.url, tokens: plane.agents.map(({ token }) => token) }));
statements = 0;
createInterface({ input: process.stdin }).on("line", () => console.log(JSON.stringify({ statements })));
process.once("SIGTERM", () => void plane.close().then(() => process.exit(0)));
