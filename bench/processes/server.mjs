// The server of a candidate on Node. Usage: node server.mjs STACK [VARIANT]
import { once } from "node:events";
import { cpuMs, say, sayFailed, serveCommands } from "./commands.mjs";

const [stack, variant] = process.argv.slice(2);
try {
  const { createServer, listen } = await import(`../candidates/${stack}/server.mjs`);
  const port = listen === undefined ? await portOf(createServer(variant)) : await listen();
  serveCommands({ usage: () => ({ cpuMs: cpuMs() }) });
  say({ port });
} catch (error) {
  sayFailed(error);
  process.exitCode = 1;
}

/** @param {import("node:net").Server} server */
async function portOf(server) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return typeof address === "object" ? address?.port : undefined;
}
