import { getEventListeners } from "node:events";
import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BoundaryLogSender, RpcError, TransportError } from "../../../src/client/index-node.js";
import {
  type ReportBoundaryLogsRequest,
  ReportBoundaryLogsRequestSchema,
} from "../../../src/gen/coder/agent/v2/agent_pb.js";
import { BoundaryStatusSchema } from "../../../src/gen/coder/boundarylogproxy/codec/v1/boundary_pb.js";
import { failure } from "../../support/echo.js";
import { runs } from "../../support/scale.js";
import { settle } from "../../support/scripted-connection.js";
import { running } from "../../support/sender-run.js";

/** A request that is known by its session, with so many logs. */
function request(id: number, logs = 1): ReportBoundaryLogsRequest {
  return create(ReportBoundaryLogsRequestSchema, {
    sessionId: `${id}`,
    logs: Array.from({ length: logs }, () => ({})),
  });
}

const refusal = () => new RpcError("no", Code.Unknown, { layer: "rpc" });
const missing = () => new RpcError("unknown rpc", Code.Unimplemented, { layer: "rpc" });

function cut(layer: "connection" | "session" | "stream" = "connection"): RpcError {
  const cause = new TransportError(layer, layer === "stream" ? "stream-reset" : "connection-lost", "lost");
  return new RpcError("lost", Code.Unavailable, { layer, cause });
}

/** A server that notes what reaches it; it answers as the test says. */
function fakeServer(answer: (request: ReportBoundaryLogsRequest) => Promise<unknown> = async () => ({})) {
  const taken: ReportBoundaryLogsRequest[] = [];
  return {
    taken,
    agent: {
      async reportBoundaryLogs(given: ReportBoundaryLogsRequest) {
        await answer(given);
        taken.push(given);
        return {};
      },
    } as never,
  };
}

const open = new AbortController().signal;

describe("a boundary log sender", () => {
  it("sends each request as it is, in order, one at a time (C6.11)", async () => {
    let underWay = 0;
    let most = 0;
    const { agent, taken } = fakeServer(async () => {
      most = Math.max(most, ++underWay);
      await settle(1);
      underWay--;
    });
    const sender = new BoundaryLogSender();
    const requests = [request(1, 3), request(2, 0), request(3, 3)];
    for (const one of requests) expect(sender.push(one)).toBe(true);
    expect(sender.pending).toBe(3);
    await running(sender, agent, async () => {
      await sender.whenEmpty();
      sender.push(request(4));
      await sender.whenEmpty();
    });
    expect(taken.map(({ sessionId, logs }) => [sessionId, logs.length])).toEqual([
      ["1", 3],
      ["2", 0],
      ["3", 3],
      ["4", 1],
    ]);
    expect(requests.every((one, index) => taken[index] === one)).toBe(true);
    expect({ most, forwarded: sender.forwarded, pending: sender.pending }).toEqual({
      most: 1,
      forwarded: 4,
      pending: 0,
    });
  });

  it("takes 100 requests without a connection, and drops what comes then (C6.10)", async () => {
    const sender = new BoundaryLogSender();
    const accepted = Array.from({ length: 103 }, (_, id) => sender.push(request(id, 2)));
    expect(accepted.filter((yes) => yes)).toHaveLength(100);
    expect(accepted.slice(99)).toEqual([true, false, false, false]);
    expect([sender.dropped, sender.droppedLogs]).toEqual([{ buffer_full: 3 }, { buffer_full: 6 }]);
    const { agent, taken } = fakeServer();
    await running(sender, agent, () => sender.whenEmpty());
    expect(taken.map(({ sessionId }) => Number(sessionId))).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  it("loses a request that is refused, counts it and goes on (C6.11)", async () => {
    const sender = new BoundaryLogSender();
    const failures = [refusal, () => cut("stream")];
    const { agent, taken } = fakeServer(async () => {
      const fail = failures.shift();
      if (fail !== undefined) throw fail();
    });
    for (let id = 1; id <= 3; id++) sender.push(request(id, id));
    await running(sender, agent, () => sender.whenEmpty());
    expect(taken.map(({ sessionId }) => sessionId)).toEqual(["3"]);
    expect([sender.dropped, sender.droppedLogs]).toEqual([{ forward_failed: 2 }, { forward_failed: 3 }]);
  });

  it.each([["connection"], ["session"]] as const)(
    "loses what is under way when the %s breaks, and keeps what is queued (C6.13)",
    async (layer) => {
      const sender = new BoundaryLogSender();
      for (let id = 1; id <= 3; id++) sender.push(request(id));
      const lost = cut(layer);
      const first = fakeServer(() => Promise.reject(lost));
      expect(await failure(sender.run(first.agent, open))).toBe(lost);
      expect([sender.pending, sender.dropped]).toEqual([2, { forward_failed: 1 }]);
      const { agent, taken } = fakeServer();
      await running(sender, agent, () => sender.whenEmpty());
      expect(taken.map(({ sessionId }) => sessionId)).toEqual(["2", "3"]);
    },
  );

  it("gives a connection up for an error that is none of a call", async () => {
    const sender = new BoundaryLogSender();
    sender.push(request(1));
    const { agent } = fakeServer(() => Promise.reject(new TypeError("broken")));
    expect((await failure(sender.run(agent, open))).message).toBe("broken");
  });

  it("leaves a server without the RPC alone, and keeps all for another (C10.16)", async () => {
    const sender = new BoundaryLogSender({ maxQueuedRequests: 2 });
    sender.push(request(1));
    sender.push(request(2));
    const old = fakeServer(() => Promise.reject(missing()));
    await sender.run(old.agent, open);
    await sender.run(old.agent, open);
    expect(sender.push(request(3))).toBe(false);
    expect([sender.pending, sender.dropped]).toEqual([2, { buffer_full: 1 }]);
    const { agent, taken } = fakeServer();
    await running(sender, agent, () => sender.whenEmpty());
    expect(taken.map(({ sessionId }) => sessionId)).toEqual(["1", "2"]);
  });

  it("ends with the signal's reason: idle, under way and before it begins, without a trace", async () => {
    const sender = new BoundaryLogSender();
    const { agent } = fakeServer(() => new Promise((_, reject) => setImmediate(reject, cut())));
    const abort = new AbortController();
    const idle = failure(sender.run(agent, abort.signal));
    const empty = failure(
      (async () => {
        await settle(1);
        sender.push(request(1));
        await sender.whenEmpty(abort.signal);
      })(),
    );
    await settle(1);
    abort.abort(new Error("enough"));
    expect([(await idle).message, (await empty).message]).toEqual(["enough", "enough"]);
    expect((await failure(sender.run(agent, abort.signal))).message).toBe("enough");
    expect(getEventListeners(abort.signal, "abort")).toHaveLength(0);
    const begun = new AbortController();
    const underWay = failure(sender.run(agent, begun.signal));
    begun.abort(new Error("later"));
    expect((await underWay).message).toBe("later");
    expect([sender.pending, sender.dropped]).toEqual([0, { forward_failed: 1 }]);
    expect(getEventListeners(begun.signal, "abort")).toHaveLength(0);
  });

  it("counts what programs had to drop, where that is more than nothing (C6.16)", () => {
    const sender = new BoundaryLogSender();
    const status = (droppedChannelFull: bigint, droppedBatchFull: bigint) =>
      sender.countStatus(create(BoundaryStatusSchema, { droppedChannelFull, droppedBatchFull }));
    status(3n, 0n);
    status(-5n, 2n);
    status(4n, -(2n ** 63n));
    expect(sender.droppedLogs).toEqual({ boundary_channel_full: 7, boundary_batch_full: 2 });
    expect([sender.dropped, sender.pending]).toEqual([{}, 0]);
  });

  it("has all metrics by name and label from the beginning (C6.15–C6.17)", async () => {
    const sender = new BoundaryLogSender({ maxQueuedRequests: 2 });
    const values = () =>
      sender.metrics().map(({ name, type, labels, value }) => {
        expect(type).toBe("counter");
        return [name.replace("agent_boundary_log_proxy_", ""), labels["reason"], value];
      });
    const all = (...numbers: number[]) => [
      ["batches_dropped_total", "buffer_full", numbers[0]],
      ["batches_dropped_total", "forward_failed", numbers[1]],
      ["logs_dropped_total", "buffer_full", numbers[2]],
      ["logs_dropped_total", "forward_failed", numbers[3]],
      ["logs_dropped_total", "boundary_channel_full", numbers[4]],
      ["logs_dropped_total", "boundary_batch_full", numbers[5]],
      ["batches_forwarded_total", undefined, numbers[6]],
    ];
    expect(values()).toEqual(all(0, 0, 0, 0, 0, 0, 0));
    for (const logs of [2, 3, 4]) sender.push(request(logs, logs));
    sender.countStatus(create(BoundaryStatusSchema, { droppedChannelFull: 5n, droppedBatchFull: 6n }));
    const failures = [refusal()];
    const { agent } = fakeServer(async () => {
      const [error] = failures.splice(0, 1);
      if (error !== undefined) throw error;
    });
    await running(sender, agent, () => sender.whenEmpty());
    expect(values()).toEqual(all(1, 1, 4, 2, 5, 6, 1));
  });
});

type Answer = "take" | "late" | "refuse" | "cut" | "takeAndCut" | "missing";
type Step =
  | { do: "push"; logs: number }
  | { do: "connect" }
  | { do: "abort" }
  | { do: "wait"; turns: number };

const answers = fc.array(
  fc.constantFrom<Answer>("take", "take", "late", "refuse", "cut", "takeAndCut", "missing"),
  { minLength: 1, maxLength: 20 },
);
const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant("push" as const), logs: fc.nat(3) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("connect" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("abort" as const) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("wait" as const), turns: fc.nat(3) }) },
  ),
  { maxLength: 60 },
);

/** A sender on a server that cuts, delays and refuses; what it makes of each request is noted. */
class Program {
  readonly sender: BoundaryLogSender;
  readonly #max: number;
  readonly #answers: Answer[];
  /** Requests that have reached the server, whatever it answered. */
  readonly reached: number[] = [];
  readonly accepted = new Map<number, number>();
  refused = { requests: 0, logs: 0 };
  answered = 0;
  #next = 0;
  readonly #ends: string[] = [];
  #connection: { abort: AbortController; run: Promise<void> } | undefined;

  constructor(maxQueuedRequests: number, answers: readonly Answer[]) {
    this.#max = maxQueuedRequests;
    this.#answers = [...answers];
    this.sender = new BoundaryLogSender({ maxQueuedRequests });
  }

  async run(step: Step): Promise<void> {
    if (step.do === "wait") await settle(step.turns);
    else if (step.do === "push") this.#push(step.logs);
    else if (step.do === "abort") this.#connection?.abort.abort(new Error("aborted"));
    else await this.#connect();
    this.#check();
  }

  /** Until nothing is left. */
  async finish(): Promise<void> {
    await this.#disconnect();
    this.#answers.splice(0);
    await running(this.sender, this.#agent(new AbortController().signal), () => this.sender.whenEmpty());
    expect(this.sender.pending).toBe(0);
    expect(["aborted", "[unavailable] lost"]).toEqual(expect.arrayContaining(this.#ends));
    this.#check();
  }

  #push(logs: number): void {
    const id = this.#next++;
    const had = this.sender.pending;
    if (this.sender.push(request(id, logs))) this.accepted.set(id, logs);
    else {
      expect(had).toBeGreaterThanOrEqual(this.#max);
      this.refused.requests++;
      this.refused.logs += logs;
    }
  }

  async #connect(): Promise<void> {
    await this.#disconnect();
    const abort = new AbortController();
    const run = this.sender.run(this.#agent(abort.signal), abort.signal).catch((error: Error) => {
      this.#ends.push(error.message);
    });
    this.#connection = { abort, run };
  }

  async #disconnect(): Promise<void> {
    this.#connection?.abort.abort(new Error("aborted"));
    await this.#connection?.run;
  }

  #agent(signal: AbortSignal): never {
    return {
      reportBoundaryLogs: async ({ sessionId }: ReportBoundaryLogsRequest) => {
        const answer = this.#answers.shift() ?? "take";
        if (answer === "missing") throw missing();
        if (answer !== "cut") this.reached.push(Number(sessionId));
        if (answer === "late") await settle(2);
        if (answer === "cut" || answer === "takeAndCut" || signal.aborted) throw cut();
        if (answer === "refuse") throw refusal();
        this.answered++;
        return {};
      },
    } as never;
  }

  #check(): void {
    const { sender } = this;
    const lost = sender.dropped["forward_failed"] ?? 0;
    expect(new Set(this.reached).size, "never twice").toBe(this.reached.length);
    expect(this.reached, "in order").toEqual([...this.reached].sort((a, b) => a - b));
    expect(sender.forwarded).toBeLessThanOrEqual(this.answered);
    expect(sender.forwarded + lost + sender.pending, "nothing is unaccounted for").toBe(this.accepted.size);
    expect(sender.pending).toBeLessThanOrEqual(this.#max + 1);
    expect([sender.dropped["buffer_full"] ?? 0, sender.droppedLogs["buffer_full"] ?? 0]).toEqual([
      this.refused.requests,
      this.refused.logs,
    ]);
  }
}

describe("a boundary log sender on a server that fails at random", () => {
  it("delivers each request once, or counts it, or still has it, and keeps the order", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 6 }), answers, steps, async (max, given, program) => {
        const run = new Program(max, given);
        for (const step of program) await run.run(step);
        await run.finish();
      }),
      runs(200),
    );
  });
});
