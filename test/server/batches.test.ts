import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Batch } from "../../src/server/batches/batch.js";
import { BuildWatch } from "../../src/server/batches/build-watch.js";
import { GroupWrite } from "../../src/server/batches/group-write.js";
import { MetadataBatch } from "../../src/server/batches/metadata-batch.js";
import { noMetrics, silentLogger } from "../../src/server/hooks.js";
import { LocalEvents, type ServerEvent } from "../../src/server/index.js";
import type { MetadataUpdate } from "../../src/store/index.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

interface Flush<T> {
  entries: readonly T[];
  reason: string;
}

function batch<T>(options: Partial<ConstructorParameters<typeof Batch<T>>[0]> = {}) {
  const flushes: Flush<T>[] = [];
  const lost: { count: number; error?: unknown }[] = [];
  const made = new Batch<T>({
    maxWaiting: 10,
    fullAt: 5,
    intervalMs: 1000,
    flush: async (entries, reason) => void flushes.push({ entries, reason }),
    onLost: (count, error) => void lost.push({ count, error }),
    ...options,
  });
  return { made, flushes, lost };
}

describe("a batch", () => {
  it("is handed over after its time, once", async () => {
    const { made, flushes } = batch<number>();
    made.add(1);
    await vi.advanceTimersByTimeAsync(600);
    made.add(2);
    await vi.advanceTimersByTimeAsync(399);
    expect(flushes).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(flushes).toEqual([{ entries: [1, 2], reason: "scheduled" }]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(flushes).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is handed over at once when it is full, and its time begins anew", async () => {
    const { made, flushes } = batch<number>();
    await vi.advanceTimersByTimeAsync(900);
    for (let i = 0; i < 6; i++) made.add(i);
    await vi.advanceTimersByTimeAsync(0);
    expect(flushes).toEqual([{ entries: [0, 1, 2, 3, 4], reason: "capacity" }]);
    await vi.advanceTimersByTimeAsync(999);
    expect(flushes).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(flushes[1]).toEqual({ entries: [5], reason: "scheduled" });
  });

  it("drops what does not fit while one is under way, and says so", async () => {
    let done = () => {};
    const { made, lost } = batch<number>({
      flush: () =>
        new Promise<void>((resolve) => {
          done = resolve;
        }),
    });
    for (let i = 0; i < 5; i++) made.add(i);
    const accepted = Array.from({ length: 12 }, (_, i) => made.add(100 + i));
    expect(accepted.filter(Boolean)).toHaveLength(10);
    expect(lost).toEqual([
      { count: 1, error: undefined },
      { count: 1, error: undefined },
    ]);
    done();
    await vi.advanceTimersByTimeAsync(0);
    expect(made.size).toBe(0);
    done();
  });

  it("loses what could not be stored, says so, and goes on", async () => {
    const error = new Error("no");
    const flush = vi.fn<() => Promise<void>>().mockRejectedValueOnce(error).mockResolvedValue();
    const { made, lost } = batch<number>({ flush });
    made.add(1);
    await vi.advanceTimersByTimeAsync(1000);
    expect(lost).toEqual([{ count: 1, error }]);
    made.add(2);
    await vi.advanceTimersByTimeAsync(1000);
    expect(flush).toHaveBeenCalledTimes(2);
  });

  it("hands over what waits when it is closed, takes no more, and leaves no timer", async () => {
    const { made, flushes, lost } = batch<number>();
    made.add(1);
    await made.close();
    expect(flushes).toEqual([{ entries: [1], reason: "shutdown" }]);
    expect(made.add(2)).toBe(false);
    expect(lost).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is closed in bounded time though its store hangs", async () => {
    const { made } = batch<number>({ flush: () => new Promise(() => {}) });
    made.add(1);
    const closing = made.close(500);
    await vi.advanceTimersByTimeAsync(500);
    await closing;
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("S3.63 the batch of metadata", () => {
  const update = (agentId: string, key: string, value: string, collectedAtUs = 1): MetadataUpdate => ({
    agentId,
    key,
    value,
    error: "",
    collectedAtUs,
  });

  function metadata(updateMetadata: (updates: readonly MetadataUpdate[]) => Promise<void>) {
    const published: ServerEvent[] = [];
    const events = new LocalEvents();
    events.onPublish((event) => published.push(event));
    const counted: Record<string, number> = {};
    const metrics = {
      ...noMetrics,
      count: (name: string, by: number) => {
        counted[name] = (counted[name] ?? 0) + by;
      },
    };
    const log = { ...silentLogger, warn: vi.fn(), error: vi.fn() };
    const made = new MetadataBatch({ store: { updateMetadata }, events, log, metrics });
    return { made, published, counted, log };
  }

  it("stores the last value of each key after five seconds, and tells of the agents once", async () => {
    const a = "aaaaaaaa-0000-4000-8000-000000000000";
    const b = "bbbbbbbb-0000-4000-8000-000000000000";
    const stored: MetadataUpdate[][] = [];
    const { made, published } = metadata(async (updates) => void stored.push([...updates]));
    made.add([update(a, "x", "1", 1), update(a, "y", "1"), update(b, "x", "1")]);
    made.add([update(a, "x", "2", 2), update(a, "y", "same", 1), update(b, "x", "older", 0)]);
    await vi.advanceTimersByTimeAsync(4_999);
    expect(stored).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(stored).toEqual([[update(a, "x", "2", 2), update(a, "y", "same", 1), update(b, "x", "1")]]);
    expect(published).toEqual([{ topic: "metadata", agentIds: [a, b] }]);
  });

  it("stores 500 keys at once, holds 2,500, and warns of more every ten seconds at most", async () => {
    const { made, counted, log } = metadata(() => new Promise(() => {}));
    const many = (count: number, agentId: string) =>
      Array.from({ length: count }, (_, i) => update(agentId, `${i}`, ""));
    made.add(many(500, "first"));
    made.add(many(2_501, "next"));
    made.add(many(2_502, "next"));
    expect(counted["coderd_agentapi_metadata_dropped_keys_total"]).toBe(3);
    expect(log.warn).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(10_000);
    made.add([update("more", "x", "")]);
    expect(log.warn).toHaveBeenCalledTimes(2);
  });

  it("does not tell of what could not be stored", async () => {
    const { made, published, log, counted } = metadata(() => Promise.reject(new Error("no")));
    made.add([update("a", "x", "1")]);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(published).toEqual([]);
    expect(log.error).toHaveBeenCalledOnce();
    expect(counted).toEqual({});
  });
});

describe("writes in company", () => {
  it("go in one trip with those that come while one is under way, each told of its own", async () => {
    const trips: number[][] = [];
    const open: (() => void)[] = [];
    const writes = new GroupWrite<number>((entries) => {
      trips.push([...entries]);
      return new Promise((resolve) => open.push(resolve));
    });
    const first = writes.add(1);
    await vi.advanceTimersByTimeAsync(0);
    const others = [writes.add(2), writes.add(3)];
    await vi.advanceTimersByTimeAsync(0);
    expect(trips).toEqual([[1]]);
    open[0]?.();
    await first;
    await vi.advanceTimersByTimeAsync(0);
    expect(trips).toEqual([[1], [2, 3]]);
    open[1]?.();
    await Promise.all(others);
  });

  it("may wait for company, but no longer than they say", async () => {
    const trips: number[][] = [];
    const writes = new GroupWrite<number>(async (entries) => void trips.push([...entries]));
    void writes.add(1, 500);
    await vi.advanceTimersByTimeAsync(499);
    void writes.add(2, 500);
    expect(trips).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(trips).toEqual([[1, 2]]);
    void writes.add(3, 500);
    void writes.add(4);
    await vi.advanceTimersByTimeAsync(0);
    expect(trips[1]).toEqual([3, 4]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("fail together when the store fails, and the next go on", async () => {
    const write = vi.fn<() => Promise<void>>().mockRejectedValueOnce(new Error("no")).mockResolvedValue();
    const writes = new GroupWrite<number>(write);
    const both = await Promise.allSettled([writes.add(1), writes.add(2)]);
    expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    await expect(writes.add(3)).resolves.toBeUndefined();
  });
});

it("S2.8 the latest builds of many workspaces are asked for in one trip", async () => {
  vi.useRealTimers();
  const asked: string[][] = [];
  const watch = new BuildWatch({
    latestBuildIds: async (ids) => {
      asked.push([...ids]);
      return new Map(ids.filter((id) => id !== "gone").map((id) => [id, `build of ${id}`]));
    },
  });
  const answers = await Promise.all(["a", "b", "a", "gone"].map((id) => watch.latestBuildId(id)));
  expect(answers).toEqual(["build of a", "build of b", "build of a", undefined]);
  expect(asked).toEqual([["a", "b", "gone"]]);
});
