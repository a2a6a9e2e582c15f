import { expect, it, onTestFinished, vi } from "vitest";
import { DialError } from "../../../src/client/index-node.js";
import { sessionWith } from "../../../src/client/session/session.js";
import { type FakeConnection, fakeConnection } from "./fake-connections.js";

const sessions = 2000;
/** Stated in docs/sessions.md. */
const maxDialsPerSecond = 650;

/** Numbers that look random and are the same in each run. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

it.each([
  { downMs: 0, seed: 1 },
  { downMs: 3_000, seed: 2 },
  { downMs: 20_000, seed: 3 },
])(
  `${sessions} sessions whose server is away for $downMs ms are back within a minute, with at most ${maxDialsPerSecond} dials a second`,
  async ({ downMs, seed }) => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const random = numbers(seed);
    let isDown = false;
    let dials: number[] = [];
    const live = new Set<FakeConnection>();
    const begun = Array.from({ length: sessions }, () =>
      sessionWith(
        async () => {
          dials.push(performance.now());
          if (isDown) throw new DialError("ws://127.0.0.1/rpc", "connect ECONNREFUSED", 14);
          const connection = fakeConnection();
          live.add(connection);
          void connection.closed.then(() => live.delete(connection));
          return connection;
        },
        { backoff: { random } },
      ),
    );
    // long enough for a good connection
    await vi.advanceTimersByTimeAsync(120_000);
    expect(live.size).toBe(sessions);

    dials = [];
    isDown = downMs > 0;
    const lostAt = performance.now();
    for (const connection of [...live]) connection.lose("connection reset");
    await vi.advanceTimersByTimeAsync(downMs);
    isDown = false;
    const backAt = performance.now();
    while (live.size < sessions && performance.now() - backAt < 120_000)
      await vi.advanceTimersByTimeAsync(100);
    expect(performance.now() - backAt).toBeLessThan(60_000);

    const perSecond: number[] = [];
    for (const at of dials) {
      const second = Math.floor((at - lostAt) / 1000);
      perSecond[second] = (perSecond[second] ?? 0) + 1;
    }
    expect(Math.max(...perSecond)).toBeLessThanOrEqual(maxDialsPerSecond);
    await Promise.all(begun.map((session) => session.close()));
    expect(vi.getTimerCount()).toBe(0);
  },
  // the clock is virtual, and what it makes happen is much
  90_000,
);
