import { getEventListeners } from "node:events";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  AppHealth,
  AppHealthSender,
  AppStatusSender,
  AppStatusState,
  BoundaryLogSender,
  ConnectionSender,
  ConnectionType,
  ContextSender,
  LifecycleSender,
  LogSender,
  MetadataSender,
  ResourcesSender,
  ScriptTimingSender,
  type Sender,
  StatsSender,
  TimingStage,
  TimingStatus,
} from "../../../src/client/index-node.js";
import { ReportBoundaryLogsRequestSchema } from "../../../src/gen/coder/agent/v2/agent_pb.js";
import { failure } from "../../support/echo.js";
import { agentWith, inVirtualTime, lost, refusal, sleep, unimplemented } from "./faulty-server.js";

interface Case {
  name: string;
  rpc: string;
  make(): Sender & { add(): void };
  /** What becomes of a report while the server does not have the RPC; `none` where the sender's own tests say it. */
  unsupported: "kept" | "dropped" | "none";
  /** What becomes of a report that the server refuses. */
  refused: "kept, ends the run" | "kept" | "dropped" | "none";
}

const id = new Uint8Array(16).fill(7);
const reportInterval = { seconds: 1n, nanos: 0 };
const config = { numDatapoints: 1, collectionIntervalSeconds: 1 };

const withAdd = <T extends Sender>(sender: T, add: (sender: T) => void) =>
  Object.assign(sender, { add: () => add(sender) });

const cases: Case[] = [
  {
    name: "lifecycle",
    rpc: "updateLifecycle",
    make: () => withAdd(new LifecycleSender(), (sender) => sender.advance("ready")),
    unsupported: "kept",
    refused: "kept, ends the run",
  },
  {
    name: "metadata",
    rpc: "batchUpdateMetadata",
    make: () => withAdd(new MetadataSender(), (sender) => sender.set("key", { value: "1" })),
    unsupported: "kept",
    refused: "kept, ends the run",
  },
  {
    name: "stats",
    rpc: "updateStats",
    make: () => withAdd(new StatsSender({ collect: () => ({}) }), () => {}),
    unsupported: "none",
    refused: "none",
  },
  {
    name: "app-health",
    rpc: "batchUpdateAppHealths",
    make: () => withAdd(new AppHealthSender(), (sender) => sender.set(id, AppHealth.HEALTHY)),
    unsupported: "kept",
    refused: "kept",
  },
  {
    name: "resources",
    rpc: "getResourcesMonitoringConfiguration",
    make: () => withAdd(new ResourcesSender({ sample: () => ({}) }), () => {}),
    unsupported: "none",
    refused: "none",
  },
  {
    name: "connections",
    rpc: "reportConnection",
    make: () => withAdd(new ConnectionSender(), (sender) => sender.connected({ type: ConnectionType.SSH })),
    unsupported: "dropped",
    refused: "dropped",
  },
  {
    name: "script-timings",
    rpc: "scriptCompleted",
    make: () =>
      withAdd(new ScriptTimingSender(), (sender) => {
        const [stage, status] = [TimingStage.START, TimingStatus.OK];
        sender.report({ scriptId: id, start: new Date(), end: new Date(), stage, status });
      }),
    unsupported: "dropped",
    refused: "dropped",
  },
  {
    name: "app-status",
    rpc: "updateAppStatus",
    make: () =>
      withAdd(new AppStatusSender(), (sender) => sender.report({ slug: "a", state: AppStatusState.IDLE })),
    unsupported: "kept",
    refused: "dropped",
  },
  {
    name: "logs",
    rpc: "batchCreateLogs",
    make: () => withAdd(new LogSender(), (sender) => sender.enqueue(id, [{ output: "a line" }])),
    unsupported: "none",
    refused: "none",
  },
  {
    name: "boundary-logs",
    rpc: "reportBoundaryLogs",
    make: () =>
      withAdd(new BoundaryLogSender(), (sender) => sender.push(create(ReportBoundaryLogsRequestSchema))),
    unsupported: "none",
    refused: "none",
  },
  {
    name: "context",
    rpc: "pushContextState",
    make: () => {
      let version: bigint | undefined;
      const pushRequest = (initial: boolean) => (version === undefined ? undefined : { version, initial });
      return withAdd(new ContextSender({ pushRequest, onChange: () => () => {} }), () => {
        version = 1n;
      });
    },
    unsupported: "none",
    refused: "none",
  },
];

const answers = {
  updateStats: () => ({ reportInterval }),
  getResourcesMonitoringConfiguration: () => ({ config, volumes: [] }),
};
const reporting = cases.filter(({ unsupported }) => unsupported !== "none");
const total = ({ dropped }: Sender) => Object.values(dropped).reduce((sum, count) => sum + count, 0);

describe.each(cases)("the sender $name", ({ name, rpc, make }) => {
  it("has its name, and nothing to do at first", async () => {
    const sender = make();
    expect(sender).toMatchObject({ name, pending: 0, dropped: {} });
    await sender.whenEmpty();
  });

  it("is run once at a time, and again after that", async () => {
    const { agent, calls } = agentWith(answers);
    const sender = make();
    for (let connection = 1; connection <= 3; connection++) {
      const abort = new AbortController();
      const run = failure(sender.run(agent, abort.signal));
      const second = await failure(sender.run(agent, abort.signal));
      expect(second.message).toBe(`the sender "${name}" runs already: end that run before the next one`);
      abort.abort(new Error(`end ${connection}`));
      expect((await run).message).toBe(`end ${connection}`);
      expect(getEventListeners(abort.signal, "abort")).toHaveLength(0);
    }
    expect(calls.length).toBeLessThanOrEqual(3);
  });

  it("calls nobody when the signal has ended before", async () => {
    const { agent, calls } = agentWith(answers);
    const sender = make();
    sender.add();
    expect((await failure(sender.run(agent, AbortSignal.abort(new Error("too late"))))).message).toBe(
      "too late",
    );
    expect(calls).toEqual([]);
  });

  it("ends with the signal's reason, whatever the call under way says", async () => {
    const left = await inVirtualTime(async () => {
      const abort = new AbortController();
      const { agent } = agentWith({
        ...answers,
        [rpc]: () => {
          abort.abort(new Error("the connection ends"));
          throw refusal("the server says no");
        },
      });
      const sender = make();
      sender.add();
      const run = failure(sender.run(agent, abort.signal));
      await sleep(3000);
      expect((await run).message).toBe("the connection ends");
    });
    expect(left).toBe(0);
  });

  it("gives the connection up when it is lost", async () => {
    const left = await inVirtualTime(async () => {
      const { agent } = agentWith({ ...answers, [rpc]: () => Promise.reject(lost()) });
      const sender = make();
      sender.add();
      const run = failure(sender.run(agent, new AbortController().signal));
      await sleep(3000);
      expect((await run).message).toContain("the connection was lost");
    });
    expect(left).toBe(0);
  });
});

describe.each(reporting)("the sender $name", ({ rpc, make, unsupported, refused }) => {
  it(`returns when the server does not have the RPC: reports are ${unsupported}`, async () => {
    const left = await inVirtualTime(async () => {
      const without = agentWith({ [rpc]: () => Promise.reject(unimplemented()) });
      const sender = make();
      sender.add();
      const run = sender.run(without.agent, new AbortController().signal);
      await sleep(3000);
      await run;
      expect(without.calls).toHaveLength(1);
      expect(sender).toMatchObject(
        unsupported === "kept" ? { pending: 1, dropped: {} } : { pending: 0, dropped: { unsupported: 1 } },
      );
      if (unsupported === "dropped") {
        sender.add();
        expect(sender).toMatchObject({ pending: 0, dropped: { unsupported: 2 } });
      }
      const abort = new AbortController();
      const { agent, calls } = agentWith({});
      const next = failure(sender.run(agent, abort.signal));
      if (unsupported === "dropped") sender.add();
      await sleep(3000);
      await sender.whenEmpty();
      expect(calls).toHaveLength(1);
      abort.abort();
      await next;
    });
    expect(left).toBe(0);
  });

  it(`a report that the server refuses is ${refused}`, async () => {
    const left = await inVirtualTime(async () => {
      const abort = new AbortController();
      const { agent } = agentWith({ [rpc]: () => Promise.reject(refusal("no such thing")) });
      const sender = make();
      sender.add();
      const run = failure(sender.run(agent, abort.signal));
      await sleep(3000);
      expect(sender.pending + total(sender)).toBe(1);
      expect(sender.pending).toBe(refused === "dropped" ? 0 : 1);
      abort.abort(new Error("the end of the test"));
      const message = (await run).message;
      if (refused === "kept, ends the run") expect(message).toContain("no such thing");
      else expect(message).toBe("the end of the test");
    });
    expect(left).toBe(0);
  });

  it("tells by a signal that it is not empty, and leaves nothing on it", async () => {
    const sender = make();
    sender.add();
    const abort = new AbortController();
    const waiting = failure(sender.whenEmpty(abort.signal));
    abort.abort(new Error("enough"));
    expect((await waiting).message).toBe("enough");
    expect(getEventListeners(abort.signal, "abort")).toHaveLength(0);
  });
});

it.each([
  ["reportTimeoutMs", () => new LifecycleSender({ reportTimeoutMs: 0 })],
  ["reportIntervalMs", () => new MetadataSender({ reportIntervalMs: Number.NaN })],
  ["maxKeys", () => new MetadataSender({ maxKeys: 0 })],
  ["maxApps", () => new AppHealthSender({ maxApps: 1.5 })],
  ["maxReports", () => new ConnectionSender({ maxReports: -1 })],
  ["maxTimings", () => new ScriptTimingSender({ maxTimings: Number.POSITIVE_INFINITY })],
  ["maxSlugs", () => new AppStatusSender({ maxSlugs: 0 })],
  ["minIntervalMs", () => new StatsSender({ collect: () => ({}), minIntervalMs: 3_000_000_000 })],
  ["maxDatapoints", () => new ResourcesSender({ sample: () => ({}), maxDatapoints: 0 })],
])("an option without sense, %s, is refused at once", (name, make) => {
  expect(make).toThrow(RangeError);
  expect(make).toThrow(name);
});
