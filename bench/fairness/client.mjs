// One connection, and calls on it.
import { dialAgent } from "agentwire/client";
import { createDrpcTransport, createServiceClient } from "agentwire/rpc";
import { echoServiceCallerCodecs } from "../gen/agentwire/test/v1/echo_codec.js";
import { EchoService } from "../gen/agentwire/test/v1/echo_pb.js";
import { used } from "../memory/used.mjs";
import { cpuMs, say, sayFailed, serveCommands } from "../processes/commands.mjs";

const port = Number(process.argv[2]);
const small = new Uint8Array(16);
try {
  const connection = await dialAgent({ url: `http://127.0.0.1:${port}`, token: "bench", proxy: false });
  const transport = createDrpcTransport(connection.session, { codecs: echoServiceCallerCodecs });
  const echo = createServiceClient(EchoService, transport);
  serveCommands({
    used,
    cpu: () => ({ ms: cpuMs() }),
    calls: ({ calls, callers }) => smallCalls(echo, calls, callers),
    /** Small calls that begin together with a large one each way. */
    async behind({ calls, size }) {
      const large = moveLarge(echo, "unary", new Uint8Array(size));
      const result = await smallCalls(echo, calls, calls);
      await large;
      return result;
    },
    /** Small calls while large messages are moved, one after the other, until the small calls are done. */
    async beside({ calls, callers, kinds, size }) {
      let isOver = false;
      const payload = new Uint8Array(size);
      let moved = 0;
      const loops = kinds.map(async (/** @type {string} */ kind) => {
        while (!isOver) moved += await moveLarge(echo, kind, payload);
      });
      // until large ones are under way
      await new Promise((resolve) => setTimeout(resolve, 100));
      const begin = performance.now();
      const before = moved;
      const result = await smallCalls(echo, calls, callers);
      const largeMbPerS = (moved - before) / 1000 / (performance.now() - begin);
      isOver = true;
      await Promise.all(loops);
      return { ...result, largeMbPerS };
    },
  });
  say({ isReady: true });
} catch (error) {
  sayFailed(error);
}

/** @returns how many bytes of payload went over the wire */
async function moveLarge(echo, kind, payload) {
  if (kind === "unary") {
    const answer = await echo.unary({ payload });
    check(answer.payload.length, payload.length);
    return 2 * payload.length;
  }
  let got = 0;
  for await (const message of echo.serverStream({ payload, count: 8 })) got += message.payload.length;
  check(got, 8 * payload.length);
  return got + payload.length;
}

/**
 * @param {number} calls
 * @param {number} callers as many make a call at a time
 */
async function smallCalls(echo, calls, callers) {
  const times = new Float64Array(calls);
  let next = 0;
  const begin = performance.now();
  const caller = async () => {
    for (let i = next++; i < calls; i = next++) {
      const start = performance.now();
      const { payload } = await echo.unary({ payload: small });
      times[i] = performance.now() - start;
      check(payload.length, small.length);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  const ms = performance.now() - begin;
  times.sort();
  const at = (/** @type {number} */ share) => times[Math.floor(share * (calls - 1))];
  return { perS: (1000 * calls) / ms, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

function check(got, wanted) {
  if (got !== wanted) throw new Error(`an answer of ${got} bytes came for ${wanted}`);
}
