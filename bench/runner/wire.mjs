import { setTimeout as sleep } from "node:timers/promises";
import { Child } from "./child.mjs";
import { CountingProxy } from "./counting-proxy.mjs";
import { clientProgram } from "./programs.mjs";

/**
 * @typedef {object} WireSample
 * @property {number} bytesPerCall of TCP payload, both ways together
 * @property {number} [messagesPerCall] WebSocket messages, both ways together
 */

/** What still comes after the last answer, such as the ends of streams. */
const afterMs = 100;

/**
 * A client of its own calls through a proxy that counts.
 *
 * @param {import("./pair.mjs").Pair} pair
 * @param {import("../cells.mjs").WireCell} cell
 * @param {import("./programs.mjs").NodeSettings} settings
 * @returns {Promise<WireSample>}
 */
export async function measureWire({ candidate, port }, { size, callers, calls }, settings) {
  const proxy = new CountingProxy(port, candidate.isWebSocket === true);
  const program = clientProgram(candidate.client, { ...settings, nodeArgs: [] }, await proxy.listen());
  const client = new Child(program, `${candidate.name}, client through a proxy`);
  try {
    await client.next();
    await sleep(afterMs);
    const before = proxy.counts;
    await client.request({ op: "burst", size, callers, calls });
    await sleep(afterMs);
    const after = proxy.counts;
    return {
      bytesPerCall: (after.bytes - before.bytes) / calls,
      ...(candidate.isWebSocket ? { messagesPerCall: (after.messages - before.messages) / calls } : {}),
    };
  } finally {
    await client.end();
    proxy.close();
  }
}
