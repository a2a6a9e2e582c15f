import http from "node:http";
import { WebSocketServer } from "ws";
import { asBinary } from "../ws/message.mjs";
import { Joined, takeApart } from "./message.mjs";

/** @returns {import("node:net").Server} */
export function createServer() {
  const server = http.createServer();
  const sockets = new WebSocketServer({ server, perMessageDeflate: false });
  const joined = new Joined();
  sockets.on("connection", (socket) => {
    socket.on("message", (/** @type {Buffer} */ message) => {
      takeApart(message, (id, payload) => joined.add(id, payload));
      socket.send(joined.take(), asBinary);
    });
  });
  return server;
}
