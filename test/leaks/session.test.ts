import { getEventListeners } from "node:events";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it, onTestFinished } from "vitest";
import { dialAgent } from "../../src/client/index-node.js";
import { createServiceClient } from "../../src/rpc/index.js";
import { attachRpc } from "../../src/server/index.js";
import { EchoService } from "../gen/agentwire/test/v1/echo_pb.js";
import { eventually } from "../support/control-plane.js";
import { echoRoutes } from "../support/echo.js";
import { httpServer } from "../support/http-servers.js";
import { scale, timeoutMs } from "../support/scale.js";
import { usedBytes, watchTimers } from "./live-things.js";

const calls = 10_000 * Math.min(scale, 10);
const cancels = calls / 10;

/** What each call keeps shows in every round; what the engine gains and loses by itself does not. */
const rounds = 4;
const noiseBytesPerCall = 24;

async function session() {
  const { server, url } = await httpServer();
  const endpoint = attachRpc(server, { authenticate: () => ({}), routes: echoRoutes });
  const connection = await dialAgent({ url, token: "any", proxy: false });
  onTestFinished(async () => {
    await connection.close();
    await endpoint.close();
  });
  return { server, endpoint, connection, echo: createServiceClient(EchoService, connection.transport) };
}

describe("one session", () => {
  it(
    `keeps no stream, timer, listener or socket of ${calls} calls and ${cancels} cancels`,
    async () => {
      const timers = watchTimers();
      const { echo, connection } = await session();
      const whole = new AbortController();
      await work(echo, 1_000, whole.signal);
      const socketsBefore = sockets();
      await work(echo, calls, whole.signal);

      expect(connection.session.streamCount).toBe(0);
      expect(getEventListeners(whole.signal, "abort")).toEqual([]);
      expect(sockets()).toBe(socketsBefore);
      // each session has a watch over the other and one over its streams; what is cleared is told a little later
      const others = () => timers().filter((place) => !/keepalive|session\.ts/.test(place));
      await eventually(() => others().length === 0, "no timer of a call is left").catch(() => {});
      expect(others()).toEqual([]);
      expect(timers().length).toBeLessThanOrEqual(4);
    },
    timeoutMs(300_000),
  );

  it(
    `has the heap that it had after ${calls} calls and ${cancels} cancels`,
    async () => {
      const { echo } = await session();
      const whole = new AbortController();
      const perRound = calls / rounds;
      await work(echo, perRound, whole.signal);
      const used = [await usedBytes()];
      for (let round = 0; round < rounds; round++) {
        await work(echo, perRound, whole.signal);
        used.push(await usedBytes());
      }
      const gains = used.slice(1).map((bytes, index) => Math.round((bytes - (used[index] ?? 0)) / perRound));
      expect(Math.min(...gains), `bytes kept of each call, by round: ${gains}`).toBeLessThan(
        noiseBytesPerCall,
      );
    },
    timeoutMs(300_000),
  );

  it("leaves no timer and no socket when it is closed", async () => {
    const timers = watchTimers();
    const { server, endpoint, echo, connection } = await session();
    await echo.unary({ payload: new Uint8Array(1) });
    await connection.close();
    await endpoint.close();
    server.close();
    await eventually(() => sockets() === 0, "no socket is left");
    expect(timers()).toEqual([]);
  });
});

function sockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name.startsWith("TCP")).length;
}

const payload = new Uint8Array(100);

/** So many calls, and a tenth as many that are cancelled, at every point of a call. */
async function work(echo: Client<typeof EchoService>, count: number, whole: AbortSignal): Promise<void> {
  for (let done = 0; done < count; done += 100) {
    await Promise.all([
      ...times(80, () =>
        echo.unary({ payload }, { signal: whole, timeoutMs: 60_000, headers: { name: "value" } }),
      ),
      ...times(20, () => readAll(echo, whole)),
    ]);
    await Promise.all([
      ...times(3, () => leaveEarly(echo)),
      ...times(3, () => cancelled((signal) => echo.unary({ payload }, { signal, timeoutMs: 60_000 }))),
      ...times(4, () => cancelled((signal) => echo.clientStream(never(signal), { signal }), 1)),
    ]);
  }
}

function times<T>(count: number, make: () => Promise<T>): Promise<T>[] {
  return Array.from({ length: count }, make);
}

async function readAll(echo: Client<typeof EchoService>, signal: AbortSignal): Promise<void> {
  let got = 0;
  for await (const _ of echo.serverStream({ payload, count: 5 }, { signal })) got++;
  if (got !== 5) throw new Error(`${got} messages instead of 5`);
}

async function leaveEarly(echo: Client<typeof EchoService>): Promise<void> {
  for await (const _ of echo.serverStream({ payload, count: 1_000_000 }, { timeoutMs: 60_000 })) break;
}

async function cancelled(call: (signal: AbortSignal) => Promise<unknown>, afterMs?: number): Promise<void> {
  const abort = new AbortController();
  const code = call(abort.signal).then(
    () => undefined,
    (error: unknown) => ConnectError.from(error).code,
  );
  if (afterMs !== undefined) await new Promise((resolve) => setTimeout(resolve, afterMs));
  abort.abort();
  if ((await code) !== Code.Canceled) throw new Error(`a cancelled call ended with ${await code}`);
}

/** Requests that do not come. */
async function* never(signal: AbortSignal): AsyncGenerator<{ payload: Uint8Array }> {
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
  yield { payload: new Uint8Array(0) };
}
