import http from "node:http";
import { attachRpc } from "agentwire/server";
import { echoServiceCodecs } from "../../gen/agentwire/test/v1/echo_codec.js";
import { routes } from "../connect-routes.mjs";

/** @returns {import("node:net").Server} */
export function createServer() {
  const server = http.createServer();
  attachRpc(server, { authenticate: ({ token }) => ({ token }), routes, codecs: echoServiceCodecs });
  return server;
}
