import { once } from "node:events";
import http from "node:http";
import { WebSocket, WebSocketServer } from "ws";
import { listening } from "./listening.mjs";

export async function serve() {
  const server = http.createServer();
  const sockets = new WebSocketServer({ server, perMessageDeflate: false, clientTracking: false });
  sockets.on("connection", (socket) => {
    socket.on("message", (message) => socket.send(message));
    socket.on("error", ignore);
  });
  return { port: await listening(server) };
}

/** @param {number} port */
export async function connect(port) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
  await once(socket, "open");
  /** @type {(() => void)[]} */
  const waiting = [];
  socket.on("message", () => waiting.shift()?.());
  socket.on("error", ignore);
  const call = () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      socket.send("");
    });
  // a message each way, as the others have had
  await call();
  return { call, close: () => socket.close() };
}

function ignore() {}
