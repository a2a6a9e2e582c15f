import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { Agent } from "../../src/gen/coder/agent/v2/agent_pb.js";
import { CoordinateRequestSchema, Tailnet } from "../../src/gen/coder/tailnet/v2/tailnet_pb.js";
import { collect } from "../support/echo.js";
import { describeWithGo } from "../support/go-peer.js";
import { agentCases, type CallCase, id, idB64, streamed, tailnetCases } from "./support/call-cases.js";
import { agentRpc, tailnetRpc } from "./support/go-client.js";
import { GoServer } from "./support/go-server.js";

const byMethod = (cases: readonly CallCase[]) => cases.map((entry) => [entry.method, entry] as const);

describe("these tests", () => {
  it("know of all RPCs", () => {
    const wireNames = (service: typeof Agent | typeof Tailnet) =>
      service.methods.map(({ name }) => name).sort();
    expect(agentCases.map(({ method }) => method).sort()).toEqual(wireNames(Agent));
    expect([...tailnetCases.map(({ method }) => method), "Coordinate"].sort()).toEqual(wireNames(Tailnet));
  });
});

describeWithGo("W1.4 calls of our client on a Go server", () => {
  it.each(byMethod(agentCases))("Agent.%s", async (method, { call, received, reply, answer }) => {
    const server = await GoServer.start();
    const rpc = agentRpc(method);
    if (reply !== undefined) await server.script(rpc, { reply });
    const { connection, session } = await server.dial();
    expect(await call(connection)).toMatchObject(answer);
    expect(await server.outcome(rpc)).toMatchObject({ session, received: 1, json: received });
    await server.expectQuiet(connection, session);
  });

  it.each(byMethod(tailnetCases))("Tailnet.%s", async (method, { call, received, reply, answer }) => {
    const server = await GoServer.start();
    const rpc = tailnetRpc(method);
    const messages = streamed[method];
    if (reply !== undefined) await server.script(rpc, { reply });
    if (messages !== undefined) await server.script(rpc, { messages });
    const { connection, session } = await server.dial();
    expect(await call(connection)).toMatchObject(answer);
    expect(await server.outcome(rpc)).toMatchObject({ session, received: 1, json: received });
    await server.expectQuiet(connection, session);
  });

  it("Tailnet.Coordinate, each side waiting for the other", async () => {
    const server = await GoServer.start();
    const { connection, session } = await server.dial();
    let next: (() => void) | undefined;
    async function* requests() {
      for (let i = 1n; i <= 5n; i++) {
        yield create(CoordinateRequestSchema, { updateSelf: { node: { id: i, key: id } } });
        await new Promise<void>((resolve) => {
          next = resolve;
        });
      }
      yield create(CoordinateRequestSchema, { disconnect: {} });
    }
    let answers = 0;
    for await (const { peerUpdates } of connection.tailnet.coordinate(requests())) {
      expect(peerUpdates).toEqual([]);
      answers++;
      next?.();
    }
    expect(answers).toBe(6);
    const call = await server.outcome(tailnetRpc("Coordinate"));
    expect(call).toMatchObject({ outcome: "ok", received: 6 });
    expect(call.requests?.map(({ json }) => json)).toEqual([
      ...[1, 2, 3, 4, 5].map((i) => ({ updateSelf: { node: { id: String(i), key: idB64 } } })),
      { disconnect: {} },
    ]);
    await server.expectQuiet(connection, session);
  });

  it("W4.6 headers are metadata; without any, none is sent", async () => {
    const server = await GoServer.start();
    const { connection } = await server.dial();
    const headers = new Headers({ "X-Request-Id": "42", traceparent: "00-1-2-01" });
    headers.append("X-Tag", "a");
    headers.append("X-Tag", "b");
    await connection.agent.getManifest({}, { headers });
    await connection.agent.getManifest({});
    await collect(connection.tailnet.coordinate((async function* () {})(), { headers: { "x-tag": "ü" } }));
    const metadata = (await server.calls()).map((call) => call.metadata);
    expect(metadata).toEqual([
      { "x-request-id": "42", traceparent: "00-1-2-01", "x-tag": "a, b" },
      undefined,
      { "x-tag": "ü" },
    ]);
  });

  it("W4.8 a deadline travels as metadata, when there is one", async () => {
    const server = await GoServer.start();
    const { connection } = await server.dial({ defaultTimeoutMs: 60_000 });
    await connection.agent.getManifest({}, { timeoutMs: 5000 });
    await connection.agent.getManifest({});
    const metadata = (await server.calls()).map((call) => call.metadata);
    expect(metadata).toEqual([{ "agentwire-timeout-ms": "5000" }, { "agentwire-timeout-ms": "60000" }]);
  });
});
