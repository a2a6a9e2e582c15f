import { describe, expect, it, onTestFinished, vi } from "vitest";
import { HttpError, type SessionOptions } from "../../../src/client/index-node.js";
import { sessionWith } from "../../../src/client/session/session.js";
import { eventually } from "../../support/control-plane.js";
import { type FakeConnection, fakeConnection } from "./fake-connections.js";

/** What the exchange of a cloud's identity fails with. C1.38. */
const refused = (status?: number) =>
  new HttpError("POST https://coder.example.com", "no", 5, status === undefined ? {} : { status });

function session(answer: (dial: number) => FakeConnection | Error, options: SessionOptions = {}) {
  const connections: FakeConnection[] = [];
  let dials = 0;
  const made = sessionWith(
    async () => {
      const found = answer(++dials);
      if (found instanceof Error) throw found;
      connections.push(found);
      return found;
    },
    { backoff: { firstMs: 1, maxMs: 2 }, ...options },
  );
  onTestFinished(() => made.close({ timeoutMs: 0 }).then(() => {}));
  return { session: made, connections, dials: () => dials };
}

describe("a machine's identity", () => {
  it.each([400, 401, 403, 404, 409])(
    "that is refused with %i ends the session while nothing has ever worked (C1.38)",
    async (status) => {
      const { session: made, dials } = session(() => refused(status));
      expect((await made.ended).error).toMatchObject({ status });
      expect(dials()).toBe(1);
    },
  );

  it.each([undefined, 429, 500, 502, 503])(
    "that is answered with %s is asked for again (C4.5)",
    async (status) => {
      const { session: made } = session((dial) => (dial < 4 ? refused(status) : fakeConnection()));
      await made.connected();
    },
  );

  it.each([403, 404, 409])("that was good is not lost by %i", async (status) => {
    const {
      session: made,
      connections,
      dials,
    } = session((dial) => (dial === 1 || dial > 3 ? fakeConnection() : refused(status)));
    await made.connected();
    connections[0]?.lose();
    await eventually(() => dials() === 4 && made.state.kind === "connected", "the next connection");
  });

  it.each([401, 404, 409])("that is refused with %i has the grace to become good", async (status) => {
    const { session: made } = session((dial) => (dial < 5 ? refused(status) : fakeConnection()), {
      unauthorizedGraceMs: 60_000,
    });
    await made.connected();
  });

  it("has a grace that other answers begin anew", async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { session: made } = session((dial) => refused(dial === 8 ? 503 : 404), {
      unauthorizedGraceMs: 10_000,
      backoff: { firstMs: 1000, maxMs: 1000, random: () => 0.999 },
    });
    await vi.advanceTimersByTimeAsync(16_000);
    expect(made.state.kind).not.toBe("stopped");
    await vi.advanceTimersByTimeAsync(4_000);
    expect(made.state).toMatchObject({ kind: "stopped", error: { status: 404 } });
  });
});

describe("a dial that does not listen to its signal", () => {
  it("does not keep a session from closing, and what it brings later is closed", async () => {
    let answer: (connection: FakeConnection) => void = () => {};
    const made = sessionWith(
      () =>
        new Promise<FakeConnection>((resolve) => {
          answer = resolve;
        }),
      {},
    );
    expect(await made.close()).toEqual({ error: undefined, unsent: [] });
    const late = fakeConnection();
    answer(late);
    await eventually(() => late.closes.length === 1, "the end of the late connection");
  });

  it("does not keep a session from ending with its signal", async () => {
    const abort = new AbortController();
    const made = sessionWith(() => new Promise<never>(() => {}), { signal: abort.signal });
    abort.abort(new Error("enough"));
    expect((await made.ended).error?.message).toBe("enough");
  });
});

describe("the time for closing", () => {
  it("is for all of it: work that does not end adds nothing to speak of", async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { session: made } = session(() => fakeConnection(), { onConnected: () => new Promise(() => {}) });
    await vi.advanceTimersByTimeAsync(0);
    const begin = performance.now();
    const took = made.close({ timeoutMs: 1000 }).then(() => performance.now() - begin);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(await took).toBeLessThan(1500);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is left to streams under way when senders are done early", async () => {
    const { session: made, connections } = session(() => fakeConnection());
    await made.connected();
    await made.close({ timeoutMs: 60_000 });
    expect(connections[0]?.closes[0]).toBeGreaterThan(50_000);
  });
});
