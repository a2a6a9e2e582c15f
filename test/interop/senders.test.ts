import { expect, it } from "vitest";
import {
  type AgentConnection,
  AppHealth,
  AppHealthSender,
  AppStatusSender,
  AppStatusState,
  ConnectionSender,
  ConnectionType,
  LifecycleSender,
  MetadataSender,
  ResourcesSender,
  ScriptTimingSender,
  type Sender,
  StatsSender,
  TimingStage,
  TimingStatus,
} from "../../src/client/index-node.js";
import { eventually } from "../support/control-plane.js";
import { describeWithGo, type Facts } from "../support/go-peer.js";
import { id, idB64 } from "./support/call-cases.js";
import { agentRpc } from "./support/go-client.js";
import { GoServer } from "./support/go-server.js";

/** A sender, what is reported with it, and what a Go server has of that. */
interface Case {
  name: string;
  method: string;
  /** A sender that has something to send. */
  make(): Sender;
  /** The requests, as protobuf JSON. */
  requests: unknown[];
  /** What a server without the RPC leaves in the sender. */
  unsupported: { pending: number; dropped: Record<string, number> };
  /** What the end of the session during the first request leaves in the sender. */
  cut: { pending: number; dropped: Record<string, number> };
}

const at = new Date("2026-01-02T03:04:05.678Z");
const atText = "2026-01-02T03:04:05.678Z";
const soon = { reportIntervalMs: 1 };

const cases: Case[] = [
  {
    name: "lifecycle",
    method: "UpdateLifecycle",
    make() {
      const sender = new LifecycleSender();
      for (const state of ["starting", "ready", "off"] as const) sender.advance(state, at);
      return sender;
    },
    requests: ["STARTING", "READY", "OFF"].map((state) => ({ lifecycle: { state, changedAt: atText } })),
    unsupported: { pending: 3, dropped: {} },
    cut: { pending: 3, dropped: {} },
  },
  {
    name: "metadata",
    method: "BatchUpdateMetadata",
    make() {
      const sender = new MetadataSender(soon);
      sender.set("cpu", { value: "grün 1", collectedAt: at });
      sender.set("disk", { value: "", error: "run cmd: exit status 1", collectedAt: at });
      return sender;
    },
    requests: [
      {
        metadata: [
          { key: "cpu", result: { value: "grün 1", collectedAt: atText } },
          { key: "disk", result: { error: "run cmd: exit status 1", collectedAt: atText } },
        ],
      },
    ],
    unsupported: { pending: 2, dropped: {} },
    cut: { pending: 2, dropped: {} },
  },
  {
    name: "app-health",
    method: "BatchUpdateAppHealths",
    make() {
      const sender = new AppHealthSender(soon);
      sender.set(id, AppHealth.UNHEALTHY);
      return sender;
    },
    requests: [{ updates: [{ id: idB64, health: "UNHEALTHY" }] }],
    unsupported: { pending: 1, dropped: {} },
    cut: { pending: 1, dropped: {} },
  },
  {
    name: "connections",
    method: "ReportConnection",
    make() {
      const sender = new ConnectionSender();
      const connection = sender.connected({ type: ConnectionType.JETBRAINS, ip: "localhost", at });
      connection.disconnected({ statusCode: -1, reason: "normal close", at });
      return sender;
    },
    requests: [
      { connection: { action: "CONNECT", type: "JETBRAINS", ip: "127.0.0.1", timestamp: atText } },
      { connection: { action: "DISCONNECT", statusCode: -1, reason: "normal close", timestamp: atText } },
    ],
    unsupported: { pending: 0, dropped: { unsupported: 2 } },
    cut: { pending: 1, dropped: { report_failed: 1 } },
  },
  {
    name: "script-timings",
    method: "ScriptCompleted",
    make() {
      const sender = new ScriptTimingSender();
      const timing = { scriptId: id, start: at, end: at, stage: TimingStage.STOP };
      sender.report({ ...timing, exitCode: 2, status: TimingStatus.EXIT_FAILURE });
      sender.report({ ...timing, status: TimingStatus.PIPES_LEFT_OPEN });
      return sender;
    },
    requests: [
      { exitCode: 2, status: "EXIT_FAILURE" },
      { exitCode: 255, status: "PIPES_LEFT_OPEN" },
    ].map((part) => ({ timing: { scriptId: idB64, start: atText, end: atText, stage: "STOP", ...part } })),
    unsupported: { pending: 0, dropped: { unsupported: 2 } },
    cut: { pending: 2, dropped: {} },
  },
  {
    name: "app-status",
    method: "UpdateAppStatus",
    make() {
      const sender = new AppStatusSender();
      sender.report({
        slug: "a",
        state: AppStatusState.IDLE,
        message: "waiting",
        uri: "https://example.com",
      });
      sender.report({ slug: "b", state: AppStatusState.FAILURE });
      return sender;
    },
    requests: [
      { slug: "a", state: "IDLE", message: "waiting", uri: "https://example.com" },
      { slug: "b", state: "FAILURE" },
    ],
    unsupported: { pending: 2, dropped: {} },
    cut: { pending: 2, dropped: {} },
  },
];

/** Runs a sender over a connection, to the end of one or the other. */
function run(sender: Sender, { agent, closed }: AgentConnection): { ended: Promise<unknown>; end(): void } {
  const scope = new AbortController();
  void closed.then((reason) => scope.abort(reason));
  const ended = sender.run(agent, scope.signal).then(
    () => undefined,
    (error: unknown) => error,
  );
  return { ended, end: () => scope.abort(new Error("the test is done")) };
}

const jsonOf = async (server: GoServer, method: string) =>
  (await server.calls(agentRpc(method))).map(({ json }) => json);

describeWithGo.for(cases)(
  "reports of $name on a Go server",
  ({ method, make, requests, unsupported, cut }) => {
    const rpc = agentRpc(method);

    it("arrive as they are", async () => {
      const server = await GoServer.start();
      const { connection, session } = await server.dial();
      const sender = make();
      const { ended, end } = run(sender, connection);
      await sender.whenEmpty();
      end();
      await ended;
      expect(await jsonOf(server, method)).toMatchObject(requests);
      expect(sender).toMatchObject({ pending: 0, dropped: {} });
      await server.expectQuiet(connection, session);
    });

    it.each([
      ["C10: an old server, which does not know the RPC", { missing: true }],
      ["C10: a server that answers code 12", { unimplemented: true }],
    ])("%s, ends the run quietly", async (_name, behaviour) => {
      const server = await GoServer.start();
      await server.script(rpc, behaviour);
      const { connection, session } = await server.dial();
      const sender = make();
      expect(await run(sender, connection).ended).toBeUndefined();
      expect(sender.pending).toBe(unsupported.pending);
      expect(sender.dropped).toEqual(unsupported.dropped);
      await server.expectQuiet(connection, session);
    });

    it.each(["close", "tcpAbort"])(
      "C10.35 a session that ends in the middle (%s), and the next",
      async (way) => {
        const server = await GoServer.start();
        await server.script(rpc, { stall: true });
        const first = await server.dial();
        const sender = make();
        const { ended } = run(sender, first.connection);
        await server.running(rpc);
        await server.peer.do(way, { handle: first.session });
        expect(await ended).toBeInstanceOf(Error);
        expect(sender.pending).toBe(cut.pending);
        expect(sender.dropped).toEqual(cut.dropped);

        await server.script("*", null);
        const [begun] = await jsonOf(server, method);
        await server.peer.do("resetCalls", { handle: server.handle });
        const { connection, session } = await server.dial();
        const next = run(sender, connection);
        await sender.whenEmpty();
        next.end();
        await next.ended;
        const after = await jsonOf(server, method);
        const isRepeated = Object.keys(cut.dropped).length === 0;
        expect(begun).toMatchObject(requests[0] as Facts);
        expect(after).toMatchObject(isRepeated ? requests : requests.slice(1));
        await server.expectQuiet(connection, session);
      },
    );

    it("a reset stream costs no more than its report", async () => {
      const server = await GoServer.start();
      await server.script(rpc, { resetStream: true });
      const { connection } = await server.dial();
      const sender = make();
      const { ended, end } = run(sender, connection);
      await eventually(async () => (await server.calls(rpc)).length > 0, "a call has come");
      await server.script("*", null);
      const outcome = await Promise.race([ended, sender.whenEmpty().then(() => "empty")]);
      if (outcome !== "empty") {
        // lifecycle and metadata give the connection up, and keep their reports for the next
        expect(sender.pending).toBe(cut.pending);
        const next = run(sender, connection);
        await sender.whenEmpty();
        next.end();
        await next.ended;
      }
      end();
      await ended;
      expect(sender.pending).toBe(0);
      const dropped = Object.values(sender.dropped).reduce((sum, count) => sum + count, 0);
      // an answered call may be canceled, where our client ended it before Go's send returned: W7.3
      const isAnswered = ({ outcome: end }: { outcome: string }) => end === "ok" || end === "canceled";
      await eventually(
        async () => (await server.calls(rpc)).filter(isAnswered).length + dropped >= requests.length,
        "all reports are answered or dropped",
      );
    });
  },
);

describeWithGo("senders that ask a Go server first", () => {
  it("C4.49 stats: an empty report, then one after each interval, and none twice after a lost session", async () => {
    const server = await GoServer.start();
    const rpc = agentRpc("UpdateStats");
    await server.script(rpc, { reply: { reportInterval: "0.001s" } });
    let collected = 0;
    const sender = new StatsSender({
      minIntervalMs: 1,
      collect: () => ({ rxBytes: BigInt(++collected), connectionsByProto: { TCP: 1n } }),
    });
    const first = await server.dial();
    const { ended } = run(sender, first.connection);
    await eventually(async () => (await server.calls(rpc)).length >= 3, "two reports have come");
    await server.script(rpc, { stall: true });
    await server.running(rpc);
    await server.peer.do("tcpAbort", { handle: first.session });
    expect(await ended).toBeInstanceOf(Error);
    expect(sender.dropped).toEqual({ report_failed: 1 });

    await server.script(rpc, { reply: { reportInterval: "0.001s" } });
    const { connection, session } = await server.dial();
    const next = run(sender, connection);
    const before = collected;
    await eventually(() => collected > before + 1, "reports go on");
    await sender.whenEmpty();
    next.end();
    await next.ended;
    const calls = await server.calls(rpc);
    const sent = calls.map(({ json }) => (json as { stats?: { rxBytes: string } }).stats?.rxBytes);
    expect([sent[0], sent[1]]).toEqual([undefined, "1"]);
    const numbers = sent.filter((number) => number !== undefined);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(sent.filter((number) => number === undefined)).toHaveLength(2);
    expect(calls[1]?.json).toEqual({ stats: { rxBytes: "1", connectionsByProto: { TCP: "1" } } });
    await server.expectQuiet(connection, session, 1);
  });

  it("C4.60, C4.61 resources: what the server wants, in windows", async () => {
    const server = await GoServer.start();
    await server.script(agentRpc("GetResourcesMonitoringConfiguration"), {
      reply: {
        config: { numDatapoints: 2, collectionIntervalSeconds: 1 },
        memory: { enabled: true },
        volumes: [{ enabled: true, path: "/home" }],
      },
    });
    let samples = 0n;
    const sender = new ResourcesSender({
      sample: ({ volumes: [volume = ""] }) => ({
        memory: { used: ++samples, total: 10n },
        volumes: [{ volume, used: samples, total: 20n }],
      }),
    });
    const { connection, session } = await server.dial();
    const { ended, end } = run(sender, connection);
    const rpc = agentRpc("PushResourcesMonitoringUsage");
    await eventually(async () => (await server.calls(rpc)).length > 0, "a window has come", 10_000);
    await server.outcome(rpc);
    end();
    await ended;
    const datapoint = (used: string) => ({
      collectedAt: expect.any(String),
      memory: { used, total: "10" },
      volumes: [{ volume: "/home", used, total: "20" }],
    });
    expect((await jsonOf(server, "PushResourcesMonitoringUsage"))[0]).toEqual({
      datapoints: [datapoint("1"), datapoint("2")],
    });
    await server.expectQuiet(connection, session, 1);
  });

  it("C4.60 resources: the empty answer, which breaks a Go agent, is told of", async () => {
    const server = await GoServer.start();
    const warnings: string[] = [];
    const sender = new ResourcesSender({ sample: () => ({}), onWarning: (text) => warnings.push(text) });
    const { connection, session } = await server.dial();
    expect(await run(sender, connection).ended).toBeUndefined();
    expect(warnings).toEqual([
      "resources: the server gave no configuration, so nothing is measured on this connection",
    ]);
    await server.expectQuiet(connection, session);
  });

  it.each([
    ["stats", "UpdateStats", () => new StatsSender({ collect: () => ({}) })],
    ["resources", "GetResourcesMonitoringConfiguration", () => new ResourcesSender({ sample: () => ({}) })],
  ])("C10 %s: a server without the RPC ends the run quietly", async (_name, method, make) => {
    const server = await GoServer.start();
    const { connection, session } = await server.dial();
    for (const behaviour of [{ missing: true }, { unimplemented: true }]) {
      await server.script(agentRpc(method), behaviour);
      expect(await run(make(), connection).ended).toBeUndefined();
    }
    await server.expectQuiet(connection, session);
  });
});
