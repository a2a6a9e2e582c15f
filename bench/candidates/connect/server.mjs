import http from "node:http";
import http2 from "node:http2";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { routes } from "../connect-routes.mjs";

/**
 * @param {string} protocol the adapter answers each of them
 * @returns {import("node:net").Server}
 */
export function createServer(protocol) {
  const handler = connectNodeAdapter({ routes });
  return protocol === "h1-connect" ? http.createServer(handler) : http2.createServer(handler);
}
