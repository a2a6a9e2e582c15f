import { once } from "node:events";
import { WebSocket } from "ws";
import { asBinary, idBytes, streamHeaderBytes, streamId } from "./message.mjs";

/**
 * @param {number} port
 * @returns {Promise<import("../index.mjs").EchoClient>}
 */
export async function connect(port) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
  await once(socket, "open");

  /** @type {Map<number, (answer: { payload: Buffer }) => void>} */
  const calls = new Map();
  /** @type {((payload: Buffer) => void) | undefined} */
  let onStreamed;
  let lastId = 0;
  socket.on("message", (/** @type {Buffer} */ message) => {
    if (onStreamed !== undefined) {
      onStreamed(message);
      return;
    }
    const id = message.readUInt32LE(0);
    const resolve = calls.get(id);
    calls.delete(id);
    resolve?.({ payload: message.subarray(idBytes) });
  });

  return {
    unary(payload) {
      const id = lastId++ % streamId;
      const message = Buffer.allocUnsafe(idBytes + payload.length);
      message.writeUInt32LE(id, 0);
      message.set(payload, idBytes);
      return new Promise((resolve) => {
        calls.set(id, resolve);
        socket.send(message, asBinary);
      });
    },
    stream(payload, count, onPayload) {
      const request = Buffer.allocUnsafe(streamHeaderBytes + payload.length);
      request.writeUInt32LE(streamId, 0);
      request.writeUInt32LE(count, idBytes);
      request.set(payload, streamHeaderBytes);
      socket.send(request, asBinary);
      return new Promise((resolve) => {
        let got = 0;
        onStreamed = (message) => {
          onPayload(message);
          if (++got < count) return;
          onStreamed = undefined;
          resolve();
        };
      });
    },
  };
}
