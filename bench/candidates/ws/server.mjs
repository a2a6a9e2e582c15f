import http from "node:http";
import { WebSocketServer } from "ws";
import { asBinary, idBytes, streamHeaderBytes, streamId } from "./message.mjs";

const highWaterBytes = 256 * 1024;

/** @returns {import("node:net").Server} */
export function createServer() {
  const server = http.createServer();
  const sockets = new WebSocketServer({ server, perMessageDeflate: false });
  sockets.on("connection", (socket) => {
    socket.on("message", (/** @type {Buffer} */ message) => {
      if (message.readUInt32LE(0) !== streamId) socket.send(message, asBinary);
      else sendStream(socket, message.subarray(streamHeaderBytes), message.readUInt32LE(idBytes));
    });
  });
  return server;
}

/**
 * Sends until enough waits, and goes on when that has left.
 *
 * @param {import("ws").WebSocket} socket
 * @param {Buffer} payload
 * @param {number} count
 */
function sendStream(socket, payload, count) {
  let left = count;
  const sendSome = () => {
    while (--left > 0 && socket.bufferedAmount < highWaterBytes) socket.send(payload, asBinary);
    if (left >= 0) socket.send(payload, asBinary, sendSome);
  };
  sendSome();
}
