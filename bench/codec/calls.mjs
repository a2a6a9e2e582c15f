#!/usr/bin/env node
// What codecs mean for whole calls: the same calls with generated codecs and with protobuf-es, in turn. Client and
// server are in this process, with a WebSocket between them. See README.md.
import { once } from "node:events";
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { dialAgent } from "../../dist/client/index-node.js";
import { agentCallerCodecs, agentCodecs } from "../../dist/gen/coder/agent/v2/agent_codec.js";
import { Agent } from "../../dist/gen/coder/agent/v2/agent_pb.js";
import { createDrpcTransport, createServiceClient } from "../../dist/rpc/index.js";
import { attachRpc } from "../../dist/server/index.js";
import { subjects } from "./messages.mjs";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "9" },
    seconds: { type: "string", default: "0.5" },
    callers: { type: "string", default: "16" },
  },
});
const calls = /** @type {const} */ ({
  "empty-stats": "updateStats",
  logs: "batchCreateLogs",
  manifest: "getManifest",
});
const manifest = initOf("manifest");

const sides = [await side(undefined, undefined), await side(agentCodecs, agentCallerCodecs)];
console.log(
  "| call | protobuf-es, calls for each CPU second | codecs | ratio |\n| --- | ---: | ---: | ---: |",
);
for (const [subject, method] of Object.entries(calls)) {
  const request = method === "getManifest" ? {} : initOf(subject);
  /** @type {number[][]} */
  const rates = [];
  for (let round = 0; round <= Number(values.rounds); round++) {
    const pair = [];
    for (const { agent } of sides) {
      pair.push(await rate(() => /** @type {any} */ (agent)[method](request)));
    }
    if (round > 0) rates.push(pair);
  }
  const columns = [0, 1].map((index) => median(rates.map((pair) => pair[index] ?? 0)));
  const ratio = median(rates.map(([without = 1, with_ = 0]) => with_ / without));
  console.log(
    `| ${method} | ${columns.map((number) => Math.round(number)).join(" | ")} | ${ratio.toFixed(2)} |`,
  );
}
for (const { close } of sides) await close();

/**
 * @param {import("../../dist/codec/index.js").MessageCodecs | undefined} ofServer
 * @param {import("../../dist/codec/index.js").MessageCodecs | undefined} ofClient
 */
async function side(ofServer, ofClient) {
  const server = createServer();
  const endpoint = attachRpc(server, {
    authenticate: () => ({}),
    routes: (router) =>
      router.service(Agent, {
        updateStats: () => ({}),
        batchCreateLogs: () => ({}),
        getManifest: () => manifest,
      }),
    ...(ofServer === undefined ? {} : { codecs: ofServer }),
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const connection = await dialAgent({ url: `http://127.0.0.1:${port}`, token: "token" });
  const options = ofClient === undefined ? {} : { codecs: ofClient };
  return {
    agent: createServiceClient(Agent, createDrpcTransport(connection.session, options)),
    async close() {
      await connection.close();
      await endpoint.close();
      server.close();
    },
  };
}

/**
 * Calls for each second of processor time, of client and server together.
 *
 * @param {() => Promise<unknown>} call
 */
async function rate(call) {
  const start = process.cpuUsage();
  let count = 0;
  let us = 0;
  const caller = async () => {
    while (us < Number(values.seconds) * 1e6) {
      await call();
      count++;
      const { user, system } = process.cpuUsage(start);
      us = user + system;
    }
  };
  await Promise.all(Array.from({ length: Number(values.callers) }, caller));
  return (count / us) * 1e6;
}

/** @param {string} name */
function initOf(name) {
  return /** @type {object} */ (subjects.find((subject) => subject.name === name)?.init);
}

/** @param {number[]} numbers */
function median(numbers) {
  return numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}
