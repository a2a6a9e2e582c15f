#!/usr/bin/env node
// What a stream moves over a link with a long way, by its window. See README.md.
import http from "node:http";
import { parseArgs } from "node:util";
import { dialAgent } from "agentwire/client";
import { createServiceClient } from "agentwire/rpc";
import { attachRpc } from "agentwire/server";
import { EchoService } from "../gen/agentwire/test/v1/echo_pb.js";
import { listening } from "../memory/stacks/listening.mjs";
import { delayLine } from "./delay-line.mjs";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    delay: { type: "string" },
    sizes: { type: "string", default: "65536" },
  },
});
const delayMs = Number(values.delay ?? (values.quick ? 5 : 50));
const roundTrips = values.quick ? 5 : 30;
const kib = 1024;

console.log(`### One stream over a link of ${2 * delayMs} ms\n`);
console.log(
  "| window | messages of | direction | round trip, ms | window ÷ round trip, MB/s | reached, MB/s | |",
);
console.log("| ---: | ---: | --- | ---: | ---: | ---: | ---: |");
// from how large at the beginning to how large a window is, in KiB
const windows = [
  [256, 256],
  [256, 1024],
  [1024, 1024],
  [256, 4096],
  [4096, 4096],
];
for (const [firstKib, lastKib] of values.quick ? windows.slice(0, 2) : windows) {
  for (const size of values.sizes.split(",").map(Number)) {
    await withLink({ windowBytes: firstKib * kib, maxWindowBytes: lastKib * kib }, async (link) => {
      for (const direction of /** @type {const} */ (["down", "up"]))
        await measure(link, [firstKib, lastKib], size, direction);
    });
  }
}

async function measure({ echo, session, received }, [firstKib, windowKib], size, direction) {
  const roundTripMs = await shortestPing(session);
  const count = Math.ceil((roundTrips * windowKib * kib) / size);
  const payload = new Uint8Array(size);
  const bytesPerS =
    direction === "down" ? await down(echo, payload, count) : await up(echo, payload, count, received);
  const wanted = (1000 * windowKib * kib) / roundTripMs;
  const cells = [roundTripMs.toFixed(1), (wanted / 1e6).toFixed(2), (bytesPerS / 1e6).toFixed(2)];
  const share = `${((100 * bytesPerS) / wanted).toFixed(0)} %`;
  const window = firstKib === windowKib ? `${windowKib} KiB` : `${firstKib} KiB, grows to ${windowKib}`;
  console.log(`| ${window} | ${size / kib} KiB | ${direction} | ${cells.join(" | ")} | ${share} |`);
}

/** From the first message to the last: what comes before is the call's own round trip. */
async function down(echo, payload, count) {
  let firstMs = 0;
  let got = 0;
  for await (const message of echo.serverStream({ payload, count })) {
    if (got === 0) firstMs = performance.now();
    got += message.payload.length;
  }
  return (1000 * (got - payload.length)) / (performance.now() - firstMs);
}

async function up(echo, payload, count, received) {
  received.bytes = 0;
  async function* requests() {
    for (let sent = 0; sent < count; sent++) yield { payload };
  }
  await echo.clientStream(requests());
  return (1000 * (received.bytes - payload.length)) / (received.lastMs - received.firstMs);
}

async function withLink(yamux, use) {
  const received = { bytes: 0, firstMs: 0, lastMs: 0 };
  const server = http.createServer();
  attachRpc(server, {
    authenticate: ({ token }) => ({ token }),
    yamux,
    routes(router) {
      router.service(EchoService, {
        async *serverStream({ payload, count }) {
          for (let sent = 0; sent < count; sent++) yield { payload };
        },
        async clientStream(requests) {
          for await (const { payload } of requests) {
            received.lastMs = performance.now();
            if (received.bytes === 0) received.firstMs = received.lastMs;
            received.bytes += payload.length;
          }
          return {};
        },
      });
    },
  });
  const line = await delayLine(await listening(server), delayMs);
  const url = `http://127.0.0.1:${line.port}`;
  const connection = await dialAgent({ url, token: "bench", proxy: false, yamux });
  const echo = createServiceClient(EchoService, connection.transport);
  await use({ echo, session: connection.session, received });
  await connection.close();
  await line.close();
  server.close();
  server.closeAllConnections();
}

async function shortestPing(session) {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 5; i++) least = Math.min(least, await session.ping());
  return least;
}
