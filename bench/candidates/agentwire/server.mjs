import http from "node:http";
import { attachRpc } from "agentwire/server";
import { echoServiceCodecs } from "../../gen/agentwire/test/v1/echo_codec.js";
import { routes } from "../connect-routes.mjs";
import { windowsOf } from "./windows.mjs";

/**
 * @param {string} [variant]
 * @returns {import("node:net").Server}
 */
export function createServer(variant) {
  const server = http.createServer();
  attachRpc(server, {
    authenticate: ({ token }) => ({ token }),
    routes,
    codecs: echoServiceCodecs,
    yamux: windowsOf(variant),
  });
  return server;
}
