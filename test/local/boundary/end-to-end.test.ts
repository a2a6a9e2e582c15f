import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { BoundaryLogSender } from "../../../src/client/index-node.js";
import type { ReportBoundaryLogsRequest } from "../../../src/gen/coder/agent/v2/agent_pb.js";
import { createBoundaryLogClient, createBoundaryLogProxy } from "../../../src/local/index.js";
import { controlPlane, dialled, eventually } from "../../support/control-plane.js";
import { storedReports } from "../../support/reports.js";
import { runs, timeoutMs } from "../../support/scale.js";
import { settle } from "../../support/scripted-connection.js";
import { proxy, socketPath } from "./support.js";

const sum = (counts: Readonly<Record<string, number>>) =>
  Object.values(counts).reduce((total, count) => total + count, 0);

describe("boundary logs of a program", () => {
  it("reach the control plane through the proxy, in order", async () => {
    const plane = await controlPlane();
    const { agent } = await dialled(plane);
    const sender = new BoundaryLogSender();
    const { path } = await proxy({ sender });
    const abort = new AbortController();
    const run = sender.run(agent, abort.signal).catch(() => {});
    const client = createBoundaryLogClient({ path });
    onTestFinished(() => client.close());
    const { sessionId } = client.next;
    for (let i = 0; i < 25; i++) {
      expect(client.log({ allowed: i % 2 === 0, method: "GET", url: `/${i}`, matchedRule: "r" })).toBe(true);
    }
    await client.close();
    await eventually(() => sender.forwarded === 3);
    const { boundaryLogs } = await storedReports(plane, plane.agents[0]?.id ?? "");
    expect(boundaryLogs.map(({ sessionId: session, sequence, url }) => [session, sequence, url])).toEqual(
      Array.from({ length: 25 }, (_, i) => [sessionId, i, `/${i}`]),
    );
    expect([sender.dropped, sender.droppedLogs, client.dropped]).toEqual([{}, {}, {}]);
    abort.abort();
    await run;
  });
});

type Step =
  | { do: "log"; count: number; letters: number }
  | { do: "start" }
  | { do: "stop" }
  | { do: "wait"; rounds: number };

const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant("log" as const),
        count: fc.integer({ min: 1, max: 15 }),
        letters: fc.constantFrom(3, 3, 100, 5000, 40_000),
      }),
    },
    { weight: 2, arbitrary: fc.constant({ do: "start" as const }) },
    { weight: 1, arbitrary: fc.constant({ do: "stop" as const }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("wait" as const), rounds: fc.nat(8) }) },
  ),
  { maxLength: 25 },
);

/** A client, and proxies that come and go beside it. */
class Program {
  readonly requests: ReportBoundaryLogsRequest[] = [];
  readonly #path = socketPath();
  readonly #client = createBoundaryLogClient({ path: this.#path, flushIntervalMs: 2, retryMs: 2 });
  /** What programs had to drop, as the proxies were told. */
  told = 0;
  #logged = 0;
  #proxy: Awaited<ReturnType<typeof createBoundaryLogProxy>> | undefined;

  async run(step: Step): Promise<void> {
    if (step.do === "wait") await settle(step.rounds);
    else if (step.do === "start") await this.#start();
    else if (step.do === "stop") await this.#stop();
    else this.#log(step.count, step.letters);
    expect(this.#client.pending).toBeLessThanOrEqual(30);
  }

  async finish(): Promise<void> {
    await this.#start();
    await this.#client.close();
    await eventually(() => this.#proxy?.connectionCount === 0);
    const { dropped } = this.#client;
    const numbers = this.requests.flatMap(({ logs }) => logs.map(({ sequenceNumber }) => sequenceNumber));
    expect(numbers, "in order, and never twice").toEqual([...new Set(numbers)].sort((a, b) => a - b));
    expect(numbers.length + sum(dropped), "all that are missing are counted").toBe(this.#logged);
    expect(this.told, "and told").toBe(sum(dropped));
    expect(dropped["closed"]).toBeUndefined();
    await this.#stop();
  }

  #log(count: number, letters: number): void {
    for (let i = 0; i < count; i++) {
      expect(this.#client.next.sequenceNumber).toBe(this.#logged++);
      this.#client.log({ allowed: true, method: "GET", url: "x".repeat(letters) });
    }
  }

  async #start(): Promise<void> {
    this.#proxy ??= await createBoundaryLogProxy({
      path: this.#path,
      sender: {
        push: (request) => this.requests.push(request),
        countStatus: ({ droppedChannelFull, droppedBatchFull }) => {
          this.told += Number(droppedChannelFull + droppedBatchFull);
        },
      },
    });
  }

  /** Not before all that is on its way has arrived: what a dead agent had not read yet nobody can know. */
  async #stop(): Promise<void> {
    if (this.#proxy === undefined) return;
    await eventually(() => this.#client.pending === 0);
    await settle(10);
    await this.#proxy.close();
    this.#proxy = undefined;
  }
}

describe("a boundary log client beside an agent that comes and goes", () => {
  it("delivers each log once and in order, or counts it and tells of it", {
    timeout: timeoutMs(60_000),
  }, async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (program) => {
        const run = new Program();
        for (const step of program) await run.run(step);
        await run.finish();
      }),
      runs(40),
    );
  });
});
