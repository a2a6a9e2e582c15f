import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { FrameWriter } from "../../../src/local/boundary/frame-writer.js";
import {
  type BoundaryLogClientOptions,
  type BoundaryLogEntry,
  createBoundaryLogClient,
} from "../../../src/local/index.js";
import { fakeAgent, socketPath } from "./support.js";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

/** A client that ends with the test; what it warns of is noted. */
function made(options: BoundaryLogClientOptions) {
  const warnings: string[] = [];
  const client = createBoundaryLogClient({ onWarning: (text) => warnings.push(text), ...options });
  onTestFinished(async () => {
    vi.useRealTimers();
    await client.close({ timeoutMs: 50 });
  });
  return { client, warnings };
}

/** Waits, whatever the timers say. */
async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 5000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`it did not hold: ${condition}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Long enough for whatever goes on between two local sockets to be over. */
async function quiet(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Waits until so many frames were written, or could not be. */
function attemptsOf(): (count: number) => Promise<void> {
  const write = vi.spyOn(FrameWriter.prototype, "write");
  return async (count) => {
    await until(() => write.mock.settledResults.filter(({ type }) => type !== "incomplete").length >= count);
    await quiet();
  };
}

const entry: BoundaryLogEntry = {
  allowed: true,
  method: "GET",
  url: "http://example.com/",
  matchedRule: "all",
};

describe("a boundary log client", () => {
  it("sends ten logs at once, under tag 2, with session and numbers (C6.21–C6.23)", async () => {
    const path = socketPath();
    const agent = await fakeAgent(path);
    const { client, warnings } = made({ path });
    const { sessionId } = client.next;
    expect(sessionId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const time = new Date("2025-03-01T12:00:00.5+02:00");
    expect(client.log({ ...entry, time })).toBe(true);
    for (let i = 1; i < 10; i++) expect(client.log({ ...entry, allowed: i % 2 === 0 })).toBe(true);
    await until(() => agent.requests.length === 1);
    const [request] = agent.requests;
    expect(request).toMatchObject({ sessionId, confinedProcessName: "" });
    expect(request?.logs.map(({ sequenceNumber }) => sequenceNumber)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(request?.logs[0]).toMatchObject({
      allowed: true,
      time: timestampFromDate(time),
      resource: {
        case: "httpRequest",
        value: { method: "GET", url: "http://example.com/", matchedRule: "all" },
      },
    });
    // the rule of a request that was denied is nobody's business
    expect(request?.logs[1]).toMatchObject({ allowed: false, resource: { value: { matchedRule: "" } } });
    await until(() => client.pending === 0);
    expect([client.dropped, warnings, agent.statuses]).toEqual([{}, [], []]);
    expect(client.next).toEqual({ sessionId, sequenceNumber: 10 });
  });

  it("sends a batch that is not full five seconds after its first log (C6.21)", async () => {
    const path = socketPath();
    const agent = await fakeAgent(path);
    const { client } = made({ path });
    client.log(entry);
    vi.advanceTimersByTime(3000);
    client.log(entry);
    vi.advanceTimersByTime(1999);
    await quiet();
    expect([agent.requests.length, client.pending]).toEqual([0, 2]);
    vi.advanceTimersByTime(1);
    await until(() => agent.requests.length === 1);
    expect(agent.requests[0]?.logs).toHaveLength(2);
    await until(() => client.pending === 0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("takes a batch and 20 logs more, drops the newest, and says so once (C6.20, C6.22)", async () => {
    const path = socketPath();
    const agent = await fakeAgent(path);
    const { client } = made({ path });
    const accepted = Array.from({ length: 100 }, () => client.log(entry));
    expect(accepted.lastIndexOf(true)).toBe(29);
    expect(accepted.filter((yes) => yes)).toHaveLength(30);
    expect(client.dropped).toEqual({ channel_full: 70 });
    await until(() => agent.messages.length === 4);
    expect(agent.messages.map((msg) => msg.case)).toEqual(["logs", "status", "logs", "logs"]);
    expect(agent.statuses).toMatchObject([{ droppedChannelFull: 70n, droppedBatchFull: 0n }]);
    // the gap shows it too
    client.log(entry);
    await client.close();
    const numbers = agent.requests.flatMap(({ logs }) => logs.map(({ sequenceNumber }) => sequenceNumber));
    expect(numbers).toEqual([...Array.from({ length: 30 }, (_, i) => i), 100]);
  });

  it("waits for a socket that is not there, and warns of it once (C6.21)", async () => {
    const path = socketPath();
    const { client, warnings } = made({ path });
    await until(() => warnings.length === 1);
    expect(warnings[0]).toBe(
      `boundary logs do not reach the agent at ${path}: connect ENOENT ${path}; they are kept as far as there is room, and tried again`,
    );
    const attempts = attemptsOf();
    for (let i = 0; i < 4; i++) client.log(entry);
    vi.advanceTimersByTime(5000);
    await attempts(1);
    const agent = await fakeAgent(path);
    vi.advanceTimersByTime(4999);
    await quiet();
    expect(agent.connections.length).toBe(0);
    vi.advanceTimersByTime(1);
    await until(() => agent.requests.length === 1);
    expect(agent.requests[0]?.logs).toHaveLength(4);
    expect([warnings.length, client.dropped]).toEqual([1, {}]);
  });

  it("keeps a full batch that cannot be sent, drops what comes, and tries with every log (C6.21)", async () => {
    const path = socketPath();
    const { client } = made({ path });
    const attempts = attemptsOf();
    for (let i = 0; i < 10; i++) client.log(entry);
    await attempts(1);
    for (let i = 0; i < 3; i++) expect(client.log(entry)).toBe(true);
    await until(() => client.dropped["batch_full"] === 3);
    expect(client.pending).toBe(10);
    const agent = await fakeAgent(path);
    client.log(entry);
    await until(() => agent.messages.length === 2);
    expect(agent.requests[0]?.logs.map(({ sequenceNumber }) => sequenceNumber)).toEqual(
      Array.from({ length: 10 }, (_, i) => i),
    );
    expect(agent.statuses).toMatchObject([{ droppedChannelFull: 0n, droppedBatchFull: 3n }]);
    await client.close();
    expect(agent.requests[1]?.logs.map(({ sequenceNumber }) => sequenceNumber)).toEqual([13]);
  });

  it("finds an agent again that was away, and warns anew when it goes", async () => {
    const path = socketPath();
    const first = await fakeAgent(path);
    const { client, warnings } = made({ path, maxBatchLogs: 1 });
    client.log(entry);
    await until(() => first.requests.length === 1);
    await first.stop();
    client.log(entry);
    await until(() => warnings.length === 1);
    const second = await fakeAgent(path);
    vi.advanceTimersByTime(5000);
    await until(() => second.requests.length === 1);
    await second.stop();
    client.log(entry);
    await until(() => warnings.length === 2);
    expect(second.requests[0]?.logs[0]?.sequenceNumber).toBe(1);
    expect([client.pending, client.dropped]).toEqual([1, {}]);
  });

  it("tells what was dropped again when that could not be written (C6.22)", async () => {
    const path = socketPath();
    const agent = await fakeAgent(path);
    const { client, warnings } = made({ path, maxBatchLogs: 1, maxQueuedLogs: 1 });
    const original = FrameWriter.prototype.write;
    let writes = 0;
    vi.spyOn(FrameWriter.prototype, "write").mockImplementation(function (this: FrameWriter, bytes) {
      return ++writes === 2 ? Promise.reject(new Error("no more")) : original.call(this, bytes);
    });
    for (let i = 0; i < 5; i++) client.log(entry);
    expect(client.dropped).toEqual({ channel_full: 3 });
    await until(() => agent.statuses.length === 1);
    expect(warnings).toHaveLength(1);
    expect(agent.messages.map((msg) => msg.case)).toEqual(["logs", "logs", "status"]);
    expect(agent.statuses).toMatchObject([{ droppedChannelFull: 3n, droppedBatchFull: 0n }]);
  });

  it("splits a batch that is too large for a frame, where others would block (C6.25)", async () => {
    const path = socketPath();
    const agent = await fakeAgent(path);
    const { client } = made({ path });
    for (let i = 0; i < 10; i++) client.log({ ...entry, url: "x".repeat(7000) });
    await until(() => client.pending === 0);
    await until(() => agent.requests.length === 3);
    expect(agent.requests.map(({ logs }) => logs.length)).toEqual([4, 4, 2]);
    expect(client.dropped).toEqual({});
  });

  it("drops a log that fits in no frame, and only that; the largest one fits", async () => {
    const path = socketPath();
    const agent = await fakeAgent(path);
    const { client } = made({ path, maxBatchLogs: 2 });
    const time = new Date(1_700_000_000_123);
    const sized = (letters: number) => client.log({ ...entry, time, url: "x".repeat(letters) });
    let letters = 32_768;
    while (!sized(letters)) letters--;
    const given = 32_768 - letters;
    expect(client.dropped).toEqual({ too_large: given });
    sized(1);
    await until(() => agent.messages.length === 3);
    expect(agent.requests.map(({ logs }) => logs.length)).toEqual([1, 1]);
    expect(agent.requests[0]?.logs[0]).toMatchObject({ sequenceNumber: given });
    // the agent knows of no such reason, but of the loss
    expect(agent.statuses).toMatchObject([{ droppedChannelFull: 0n, droppedBatchFull: BigInt(given) }]);
  });

  it("refuses a time that is none, which costs nothing", async () => {
    const { client } = made({ path: socketPath() });
    expect(() => client.log({ ...entry, time: new Date(Number.NaN) })).toThrow(RangeError);
    expect([client.next.sequenceNumber, client.pending, client.dropped]).toEqual([0, 0, {}]);
  });

  it("sends text that every agent takes", async () => {
    const path = socketPath();
    const agent = await fakeAgent(path);
    const { client } = made({ path, maxBatchLogs: 1 });
    client.log({ ...entry, url: "lone \ud800 surrogate" });
    await until(() => agent.requests.length === 1);
    expect(agent.requests[0]?.logs[0]?.resource.value).toMatchObject({ url: "lone \ufffd surrogate" });
  });

  it("finds its socket in the environment, and refuses a path that can be none (C6.19)", async () => {
    const path = socketPath();
    vi.stubEnv("CODER_AGENT_BOUNDARY_LOG_PROXY_SOCKET_PATH", path);
    expect(made({}).client.path).toBe(path);
    vi.stubEnv("CODER_AGENT_FIREWALL_LOG_PROXY_SOCKET_PATH", `${path}2`);
    expect(made({}).client.path).toBe(`${path}2`);
    expect(() => createBoundaryLogClient({ path: "x".repeat(200) })).toThrow("choose a shorter one");
  });
});

describe("the timers of a boundary log client", () => {
  it("keep no process alive, but for the one that ends a close", async () => {
    const client = createBoundaryLogClient({ path: socketPath() });
    const timers = vi.spyOn(globalThis, "setTimeout");
    client.log(entry);
    await quiet();
    const isHeld = () => timers.mock.results.map(({ value }) => (value as NodeJS.Timeout).hasRef());
    expect(isHeld().length).toBeGreaterThan(0);
    expect(isHeld()).not.toContain(true);
    await client.close();
    expect(isHeld().filter((held) => held)).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("C6.24 a boundary log client that closes", () => {
  it("sends what waits, and ends the connection when all has arrived", async () => {
    const path = socketPath();
    const agent = await fakeAgent(path);
    const { client } = made({ path });
    for (let i = 0; i < 27; i++) client.log(entry);
    await Promise.all([client.close(), client.close()]);
    await until(() => agent.requests.length === 3);
    expect(agent.requests.map(({ logs }) => logs.length)).toEqual([10, 10, 7]);
    expect([client.pending, client.dropped, client.log(entry)]).toEqual([0, {}, false]);
    expect(client.dropped).toEqual({ closed: 1 });
    await until(() => agent.connections.every(({ destroyed }) => destroyed));
    expect(vi.getTimerCount()).toBe(0);
  });

  it("tells of a loss at the very end, which makes no gap", async () => {
    const path = socketPath();
    const agent = await fakeAgent(path);
    const { client } = made({ path });
    client.log({ ...entry, url: "x".repeat(40_000) });
    await client.close();
    await until(() => agent.statuses.length === 1);
    expect(agent.messages).toMatchObject([{ case: "status", value: { droppedBatchFull: 1n } }]);
  });

  it("tries once where there is no agent, and counts what is lost", async () => {
    const { client } = made({ path: socketPath() });
    for (let i = 0; i < 25; i++) client.log(entry);
    await client.close();
    expect(client.pending).toBe(0);
    expect(Object.values(client.dropped).reduce((sum, count) => sum + count, 0)).toBe(25);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("waits no longer than it may for an agent that does not read", async () => {
    const path = socketPath();
    const agent = await fakeAgent(path, () => false);
    const { client } = made({ path, maxBatchLogs: 1, maxQueuedLogs: 1000 });
    for (let i = 0; i < 200; i++) client.log({ ...entry, url: "x".repeat(32_000) });
    const closing = client.close({ timeoutMs: 1000 });
    await quiet();
    vi.advanceTimersByTime(1000);
    await closing;
    expect(agent.connections.length).toBe(1);
    expect(client.dropped["closed"]).toBeGreaterThan(100);
    expect([client.pending, vi.getTimerCount()]).toEqual([0, 0]);
  });
});

describe("a boundary log client on an agent that does not read", () => {
  it("gives the connection up in time, keeps the batch, and goes on with another", async () => {
    const path = socketPath();
    const agent = await fakeAgent(path, (connection) => connection > 1);
    const { client, warnings } = made({ path, maxBatchLogs: 1, maxQueuedLogs: 1000, writeTimeoutMs: 300 });
    for (let i = 0; i < 200; i++) client.log({ ...entry, url: "x".repeat(32_000) });
    let stuckAt = -1;
    while (client.pending !== stuckAt) {
      stuckAt = client.pending;
      await quiet();
    }
    expect(stuckAt).toBeGreaterThan(100);
    vi.advanceTimersByTime(300);
    await until(() => client.pending === 0);
    await until(() => agent.requests.at(-1)?.logs[0]?.sequenceNumber === 199);
    expect(warnings).toEqual([expect.stringContaining(`${path} did not take a frame within 300 ms`)]);
    expect(agent.requests).toHaveLength(stuckAt);
    expect(client.dropped).toEqual({});
  });
});
