import type { ConnectRouter } from "@connectrpc/connect";
import { expect, it } from "vitest";
import { Agent } from "../../src/gen/coder/agent/v2/agent_pb.js";
import { Tailnet } from "../../src/gen/coder/tailnet/v2/tailnet_pb.js";
import { newestVersion } from "../../src/version/index.js";
import { echoServer } from "../interop/support/echo-server.js";
import { agentRpc, commandMs, goDial, goFailure, tailnetRpc } from "../interop/support/go-client.js";
import { GoServer } from "../interop/support/go-server.js";
import { describeWithGo, GoPeer, GoPeerError } from "../support/go-peer.js";
import { answered, calls, outcomesOf, subject } from "./calls.js";
import { expectedDial, expectedOutcomes, minors, rpcs, versionText } from "./expectations.js";

const newest = newestVersion.minor;
const id = new Uint8Array(16).fill(7);
const methods = rpcs.map(({ method }) => method);

/** The RPC on the wire, of `Agent.GetManifest`. */
function pathOf(rpc: string): string {
  const [service = "", method = ""] = rpc.split(".");
  return service === "Agent" ? agentRpc(method) : tailnetRpc(method);
}

const methodOf = new Map(rpcs.map(({ rpc, method }) => [pathOf(rpc), method]));

/** Both of a version, and the two ends of the ladder. */
const pairs = [...minors.map((minor) => [minor, minor] as const), [0, newest] as const];

describeWithGo("our client on a Go server that has what its version promises", () => {
  async function oldServer(minor: number): Promise<GoServer> {
    const server = await GoServer.start({ maxVersion: versionText(minor) });
    const later = rpcs.filter(({ since }) => since.minor > minor);
    // in the words of servers that never knew the rpc, and of those that were built without it
    for (const [i, { rpc }] of later.entries()) {
      await server.script(pathOf(rpc), i % 2 === 0 ? { missing: true } : { unimplemented: true });
    }
    return server;
  }

  it.each([
    ...pairs.map(([client, server]) => [versionText(client), server] as const),
    ...minors.map((server) => ["negotiate", server] as const),
  ])("a client of %s on a server of 2.%i", async (choice, served) => {
    const server = await oldServer(served);
    const requests: string[] = [];
    const fetchOk: typeof fetch = async (url, init) => {
      requests.push(`${init?.method} ${new URL(String(url)).pathname}`);
      return Response.json(null);
    };
    const { connection, session } = await server.dial({ version: choice, fetch: fetchOk });
    // a stream that was left may end with an error as well
    const refusal = /unknown rpc|Unimplemented/;
    const handled = async () =>
      (await server.calls())
        .filter(({ outcome, error = "" }) => outcome !== "error" || !refusal.test(error))
        .map(({ rpc }) => methodOf.get(rpc) ?? rpc);
    expect(await outcomesOf(connection, methods, subject(id, id), handled)).toEqual(expectedOutcomes(served));
    const appStatus = "PATCH /api/v2/workspaceagents/me/app-status";
    expect(requests).toEqual(served < 8 ? [appStatus, appStatus] : []);
    // streams that were left, and those that were refused
    await server.expectQuiet(connection, session, 24);
  });

  it("C7.11 logs go over HTTP where the server has no RPC for them", async () => {
    const server = await GoServer.start();
    await server.script(agentRpc("BatchCreateLogs"), { missing: true });
    const bodies: unknown[] = [];
    const answers = [Response.json(null), Response.json({ message: "Logs limit exceeded" }, { status: 413 })];
    const { connection } = await server.dial({
      fetch: async (_url, init) => {
        bodies.push(JSON.parse(String(init?.body)));
        return answers.shift() ?? Response.error();
      },
    });
    const logs = { logSourceId: id, logs: [{ output: "x" }] };
    expect((await connection.agent.batchCreateLogs(logs)).logLimitExceeded).toBe(false);
    expect((await connection.agent.batchCreateLogs(logs)).logLimitExceeded).toBe(true);
    expect(bodies).toMatchObject([{ logs: [{ output: "x" }] }, { logs: [{ output: "x" }] }]);
  });

  it("C1.28 an RPC that a Go server has early is used", async () => {
    const server = await GoServer.start({ maxVersion: "2.2" });
    const { connection } = await server.dial({ version: "2.2" });
    expect(connection.supports("scriptCompleted")).toBe(false);
    expect(await answered(calls.scriptCompleted(connection, subject(id, id)), "scriptCompleted")).toBe(true);
  });

  it("S1.17 the newest client is refused by the oldest server, unless it negotiates", async () => {
    const server = await GoServer.start({ maxVersion: "2.0" });
    await expect(server.dial({ version: "2.10" })).rejects.toMatchObject({
      status: 400,
      validations: [{ field: "version", detail: expectedDial(newest, 0) }],
    });
  });
});

describeWithGo("a Go client on our server", () => {
  /** Handlers for everything; a stream of requests ends with them. */
  function everything(router: ConnectRouter): void {
    for (const service of [Agent, Tailnet]) {
      for (const method of service.methods) {
        const answerAll = async function* (requests: unknown) {
          if (method.methodKind === "bidi_streaming")
            for await (const _ of requests as AsyncIterable<unknown>);
          yield {};
        };
        router.rpc(method, (method.methodKind === "unary" ? () => ({}) : answerAll) as never);
      }
    }
  }

  /** The code of the refusal of a call; "" where it is answered. */
  async function codeOf(peer: GoPeer, handle: number, rpc: string): Promise<string> {
    const method = methodOf.get(rpc);
    try {
      if (method === "streamDERPMaps" || method === "coordinate" || method === "workspaceUpdates") {
        const stream = await peer.handle("stream", { handle, rpc, timeoutMs: commandMs });
        await peer.do("send", { handle: stream, json: {}, timeoutMs: commandMs });
        await peer.do("closeSend", { handle: stream });
        await peer.do("recv", { handle: stream, timeoutMs: commandMs });
        await peer.do("closeStream", { handle: stream });
      } else await peer.do("call", { handle, rpc, json: {}, timeoutMs: commandMs });
      return "";
    } catch (error) {
      if (!(error instanceof GoPeerError)) throw error;
      return `${String(error.facts["code"])} ${String(error.facts["error"])}`;
    }
  }

  it.each(pairs)("of 2.%i on one of 2.%i: strict, and as it is by default", async (client, served) => {
    const peer = GoPeer.start();
    for (const strictVersions of [true, false]) {
      const serverVersion = { major: 2, minor: served };
      const server = await echoServer(everything, { serverVersion, strictVersions });
      const handle = await goDial(peer, server, { version: versionText(client) });
      const codes: Record<string, string> = {};
      for (const { rpc, method } of rpcs) codes[method] = await codeOf(peer, handle, pathOf(rpc));
      const has = strictVersions ? client : newest;
      const expected = rpcs.map(({ method, since }) => [
        method,
        since.minor <= has ? "" : "12 Unimplemented",
      ]);
      expect(codes).toEqual(Object.fromEntries(expected));
    }
    expect(peer.complaints).toEqual([]);
  });

  it("S1.17 of 2.10 is refused by one of 2.0", async () => {
    const server = await echoServer(everything, { serverVersion: { major: 2, minor: 0 } });
    const refused = await goFailure(goDial(GoPeer.start(), server, { version: "2.10" }));
    expect(refused).toMatchObject({ status: 400 });
    expect(String(refused["body"])).toContain(String(expectedDial(newest, 0)));
  });
});
