import { getEventListeners } from "node:events";
import { expect, it } from "vitest";
import { connectAgent, type Sender } from "../../src/client/index-node.js";
import { controlPlane, eventually, token } from "../support/control-plane.js";
import { scale, timeoutMs } from "../support/scale.js";
import { usedBytes, watchTimers } from "./live-things.js";

const reconnects = 500 * Math.min(scale, 10);
/** What each connection keeps shows; what the engine gains and loses by itself does not. */
const noiseBytesPerConnection = 4096;

/** Sends nothing, for as long as it may, as most senders do most of the time. */
function idleSender(): Sender {
  return {
    name: "idle",
    pending: 0,
    dropped: {},
    run: (_agent, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      }),
    whenEmpty: async () => {},
  };
}

it(
  `${reconnects} reconnects leave no timer, listener, socket and heap behind`,
  async () => {
    const timers = watchTimers();
    const plane = await controlPlane();
    const whole = new AbortController();
    let connected = 0;
    const session = connectAgent({
      url: plane.url,
      token,
      proxy: false,
      signal: whole.signal,
      backoff: { firstMs: 1, maxMs: 1 },
      senders: [idleSender(), idleSender()],
      onConnected: async ({ agent }, signal) => {
        await agent.getManifest({}, { signal });
        connected++;
      },
    });
    const lose = async (count: number) => {
      for (let i = 0; i < count; i++) {
        const before = connected;
        const connection = await session.connected();
        // from below, as a server that goes away does
        await connection.session.close();
        await eventually(() => connected > before, "the next connection");
      }
    };
    await eventually(() => connected === 1, "the first connection");
    await lose(reconnects / 5);
    const sockets = socketCount();
    const bytes = await usedBytes();
    await lose(reconnects);
    expect(socketCount()).toBeLessThanOrEqual(sockets);
    expect(((await usedBytes()) - bytes) / reconnects).toBeLessThan(noiseBytesPerConnection);
    expect(getEventListeners(whole.signal, "abort")).toHaveLength(1);

    await session.close();
    await plane.close();
    expect(getEventListeners(whole.signal, "abort")).toEqual([]);
    await eventually(() => socketCount() === 0, "no socket is left");
    await eventually(() => timers().length === 0, "no timer is left").catch(() => {});
    expect(timers()).toEqual([]);
  },
  timeoutMs(300_000),
);

function socketCount(): number {
  return process.getActiveResourcesInfo().filter((name) => name.startsWith("TCPSocket")).length;
}
