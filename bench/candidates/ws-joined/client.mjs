import { once } from "node:events";
import { WebSocket } from "ws";
import { asBinary } from "../ws/message.mjs";
import { Joined, takeApart } from "./message.mjs";

/**
 * Calls that are made in the same turn leave in one message.
 *
 * @param {number} port
 * @returns {Promise<import("../index.mjs").EchoClient>}
 */
export async function connect(port) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
  await once(socket, "open");

  /** @type {Map<number, (answer: { payload: Buffer }) => void>} */
  const calls = new Map();
  const joined = new Joined();
  let lastId = 0;
  socket.on("message", (/** @type {Buffer} */ message) => {
    takeApart(message, (id, payload) => {
      calls.get(id)?.({ payload });
      calls.delete(id);
    });
  });

  return {
    unary(payload) {
      const id = lastId++ % 2 ** 32;
      if (joined.isEmpty) queueMicrotask(() => socket.send(joined.take(), asBinary));
      joined.add(id, payload);
      return new Promise((resolve) => {
        calls.set(id, resolve);
      });
    },
  };
}
