import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { TelemetryEventSchema } from "../../../src/gen/coder/tailnet/v2/tailnet_pb.js";
import type { Logger, TelemetrySink } from "../../../src/server/index.js";
import { TelemetryBatch } from "../../../src/server/tailnet/telemetry-batch.js";
import type { TelemetryRecord } from "../../../src/store/index.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const id = new Uint8Array(16).fill(7);
const sender = { agentId: "agent", userId: undefined, peerId: "peer" };
type EventInit = MessageInitShape<typeof TelemetryEventSchema>;

function events(count: number, more: EventInit = {}) {
  return Array.from({ length: count }, (_, i) =>
    create(TelemetryEventSchema, { id, application: String(i), ...more }),
  );
}

function batchTo(sink: Partial<TelemetrySink> = {}) {
  const sent: (readonly TelemetryRecord[])[] = [];
  const lines: string[] = [];
  const write = (message: string, fields = {}) => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const log: Logger = { debug: write, info: write, warn: write, error: write };
  const send = (records: readonly TelemetryRecord[]) => void sent.push(records);
  const batch = new TelemetryBatch({ sink: { send, ...sink }, log, nowUs: () => 5 });
  return { batch, sent, lines, sizes: () => sent.map(({ length }) => length) };
}

/** Lets go on what waits for promises. */
const settle = () => vi.advanceTimersByTimeAsync(0);

describe("S4.7 telemetry goes to its sink", () => {
  it("each minute, with who sent it, and nothing when there is nothing", async () => {
    const { batch, sent } = batchTo();
    await vi.advanceTimersByTimeAsync(300_000);
    batch.add(events(1), sender);
    batch.add(events(1, { status: 9 as never }), { agentId: undefined, userId: "ada", peerId: "p" });
    await vi.advanceTimersByTimeAsync(59_999);
    expect(sent).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    const common = { id: "07070707-0707-0707-0707-070707070707", receivedAtUs: 5 };
    expect(sent).toEqual([
      [
        { ...common, agentId: "agent", peerId: "peer", event: expect.objectContaining({ application: "0" }) },
        // an enum value that nobody knows
        { ...common, userId: "ada", peerId: "p", event: expect.objectContaining({ status: 9 }) },
      ],
    ]);
    await vi.advanceTimersByTimeAsync(300_000);
    expect(sent).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("at once when 1,000 are there, in several batches where there are more; then the minute begins anew", async () => {
    const { batch, sizes } = batchTo();
    batch.add(events(999), sender);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(sizes()).toEqual([]);
    batch.add(events(1501), sender);
    await settle();
    // what has come while the first was on its way goes with the next
    expect(sizes()).toEqual([1000, 1000, 500]);
    batch.add(events(1), sender);
    await vi.advanceTimersByTimeAsync(59_999);
    expect(sizes()).toEqual([1000, 1000, 500]);
    await vi.advanceTimersByTimeAsync(1);
    expect(sizes()).toEqual([1000, 1000, 500, 1]);
  });

  it("once more at the end, and not after it", async () => {
    const { batch, sizes, lines } = batchTo();
    batch.add(events(3), sender);
    await batch.close();
    expect(sizes()).toEqual([3]);
    batch.add(events(2000), sender);
    await batch.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sizes()).toEqual([3]);
    expect(lines).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("whose end is waited for no longer than five seconds", async () => {
    const never = new Promise<void>(() => {});
    const { batch } = batchTo({ send: () => never, onUserConnection: () => never });
    batch.add(events(1), sender);
    batch.userConnected({ userId: "ada", peerId: "p", connectedAtUs: 1 });
    const closed = vi.fn();
    void batch.close().then(closed);
    await vi.advanceTimersByTimeAsync(4_999);
    expect(closed).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(closed).toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("what it does not take is told, lost, and not tried again", async () => {
    let isBroken = true;
    const taken: number[] = [];
    const { batch, lines } = batchTo({
      async send({ length }) {
        if (isBroken) throw new Error("no route");
        taken.push(length);
      },
    });
    batch.add(events(2), sender);
    await batch.flush();
    isBroken = false;
    batch.add(events(1), sender);
    await vi.advanceTimersByTimeAsync(120_000);
    expect(taken).toEqual([1]);
    expect(lines).toEqual(['telemetry is lost {"count":2,"error":"no route"}']);
  });
});

describe("while the sink of telemetry is slow", () => {
  function slowSink() {
    const waiting: (() => void)[] = [];
    const made = batchTo({ send: () => new Promise<void>((resolve) => void waiting.push(resolve)) });
    const release = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        next();
        await settle();
      }
    };
    return { ...made, waiting, release };
  }

  it("10,000 events wait, one batch at a time, more are dropped and counted, and that is said once", async () => {
    const { batch, lines, waiting, release } = slowSink();
    batch.add(events(11_500), sender);
    batch.add(events(10), sender);
    expect(waiting).toHaveLength(1);
    expect(batch.droppedCount).toBe(510);
    expect(lines).toEqual([
      'telemetry is dropped: more comes than can be sent {"waiting":10000,"droppedSoFar":1}',
    ]);
    await release();
    batch.add(events(500), sender);
    expect(batch.droppedCount).toBe(510);
  });

  it("events that wait have 32 MiB at most", async () => {
    const { batch, release } = slowSink();
    const large = events(1, { clientVersion: "x".repeat(1024 * 1024) });
    for (let i = 0; i < 40; i++) batch.add(large, sender);
    expect(batch.droppedCount).toBe(9);
    const flushed = batch.flush();
    await settle();
    await release();
    await flushed;
    for (let i = 0; i < 31; i++) batch.add(large, sender);
    expect(batch.droppedCount).toBe(9);
  });
});

describe("S4.8 malformed telemetry", () => {
  it("is dropped, with one line for all of a request", async () => {
    const { batch, sizes, lines } = batchTo();
    const bad = [
      ...events(2, { id: new Uint8Array(3) }),
      ...events(1, { id: new Uint8Array(0) }),
      ...events(1, { time: { seconds: 10n ** 15n } }),
    ];
    batch.add([...bad, ...events(1)], sender);
    batch.add([], sender);
    await batch.flush();
    expect(sizes()).toEqual([1]);
    expect(lines).toEqual(['telemetry events are malformed, and dropped {"count":4,"peerId":"peer"}']);
  });
});

describe("S4.31 connections of users' clients", () => {
  it("are told to the sink; what it throws is a line of the log", async () => {
    const told: unknown[] = [];
    const { batch, lines } = batchTo({
      onUserConnection(record) {
        told.push(record);
        throw new Error("no route");
      },
    });
    const record = { userId: "ada", peerId: "p", connectedAtUs: 1, deviceOs: "linux" };
    batch.userConnected(record);
    batch.userConnected({ ...record, disconnectedAtUs: 2 });
    await batch.close();
    batch.userConnected(record);
    expect(told).toEqual([record, { ...record, disconnectedAtUs: 2 }]);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain("no route");
  });

  it("need nobody who is told", () => {
    const { batch } = batchTo();
    expect(batch.userConnected({ userId: "ada", peerId: "p", connectedAtUs: 1 })).toBeUndefined();
  });
});
