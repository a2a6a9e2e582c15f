// The echo service on the built package: says where it listens, and what it has used.
import http from "node:http";
import { attachRpc } from "agentwire/server";
import { routes } from "../candidates/connect-routes.mjs";
import { echoServiceCodecs } from "../gen/agentwire/test/v1/echo_codec.js";
import { used } from "../memory/used.mjs";
import { cpuMs, say, serveCommands } from "../processes/commands.mjs";

const server = http.createServer();
attachRpc(server, { authenticate: ({ token }) => ({ token }), routes, codecs: echoServiceCodecs });
server.listen(0, "127.0.0.1", () => {
  serveCommands({ used, cpu: () => ({ ms: cpuMs() }) });
  say({ port: server.address().port });
});
