import { getEventListeners } from "node:events";
import { Code, ConnectError } from "@connectrpc/connect";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type ContextPush,
  type ContextPushSource,
  ContextSender,
  isUnimplemented,
  RpcError,
  TransportError,
} from "../../../src/client/index-node.js";
import { eventually } from "../../support/control-plane.js";
import { failure } from "../../support/echo.js";
import { runs } from "../../support/scale.js";
import { running } from "../../support/sender-run.js";

/** Snapshots with nothing but a version. */
class Versions implements ContextPushSource {
  version = 0n;
  readonly listeners = new Set<() => void>();

  pushRequest(initial: boolean): ContextPush | undefined {
    return this.version === 0n ? undefined : { version: this.version, initial };
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  change(): void {
    this.version++;
    for (const listener of this.listeners) listener();
  }
}

interface Push {
  version: bigint;
  initial: boolean;
}

/** A server that notes each push and does with it what the test says. */
function fakeServer(answer: (push: Push, index: number) => Promise<{ accepted: boolean }> | Error) {
  const pushes: Push[] = [];
  const agent = {
    pushContextState: async ({ version, initial }: ContextPush) => {
      const push = { version: BigInt(version ?? 0n), initial: initial === true };
      const answered = answer(push, pushes.push(push) - 1);
      if (answered instanceof Error) throw answered;
      return answered;
    },
  };
  return { pushes, agent: agent as never };
}

const accepted = Promise.resolve({ accepted: true });
const lost = () => new RpcError("the connection is lost", Code.Unavailable, { layer: "connection" });
const refused = () => new ConnectError("no room", Code.ResourceExhausted);
const fast = { firstRetryMs: 0, maxRetryMs: 0 };

describe("a context sender", () => {
  it("pushes nothing before there is a snapshot (C4.70)", async () => {
    const source = new Versions();
    const sender = new ContextSender(source, fast);
    const { pushes, agent } = fakeServer(() => accepted);
    await running(sender, agent, async () => {
      await new Promise((resolve) => setImmediate(resolve));
      expect([pushes, sender.pending]).toEqual([[], 0]);
      source.change();
      expect(sender.pending).toBe(1);
      await sender.whenEmpty();
    });
    expect(pushes).toEqual([{ version: 1n, initial: true }]);
  });

  it("marks the first push of each connection, and no other, as initial (C4.71)", async () => {
    const source = new Versions();
    const sender = new ContextSender(source, fast);
    source.change();
    const { pushes, agent } = fakeServer(() => accepted);
    for (let connection = 0; connection < 2; connection++) {
      await running(sender, agent, async () => {
        await eventually(() => pushes.length === 1 + connection * 2);
        source.change();
        await sender.whenEmpty();
      });
    }
    expect(pushes).toEqual([
      { version: 1n, initial: true },
      { version: 2n, initial: false },
      { version: 2n, initial: true },
      { version: 3n, initial: false },
    ]);
  });

  it("tries the same snapshot again until it is answered, then the newest only (C4.72)", async () => {
    const source = new Versions();
    const sender = new ContextSender(source, fast);
    source.change();
    const { pushes, agent } = fakeServer((_push, index) => {
      if (index >= 3) return accepted;
      source.change();
      return refused();
    });
    await running(sender, agent, () => sender.whenEmpty());
    expect(pushes).toEqual([
      ...Array.from({ length: 4 }, () => ({ version: 1n, initial: true })),
      { version: 4n, initial: false },
    ]);
  });

  it("waits 250 ms, then twice as long each time, and at most 30 s (C4.72)", async () => {
    const source = new Versions();
    source.change();
    const waits: number[] = [];
    const abort = new AbortController();
    const original = globalThis.setTimeout;
    globalThis.setTimeout = ((then: () => void, ms: number) => {
      waits.push(ms);
      if (waits.length === 10) abort.abort(new Error("enough"));
      return original(then, 0);
    }) as never;
    try {
      const { agent } = fakeServer(refused);
      expect((await failure(new ContextSender(source).run(agent, abort.signal))).message).toBe("enough");
    } finally {
      globalThis.setTimeout = original;
    }
    expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  });

  it("does not repeat a push that was answered without being accepted (C4.72)", async () => {
    const source = new Versions();
    const sender = new ContextSender(source, fast);
    source.change();
    const { pushes, agent } = fakeServer(async () => ({ accepted: false }));
    await running(sender, agent, async () => {
      await sender.whenEmpty();
      source.change();
      await sender.whenEmpty();
    });
    expect(pushes.map(({ version }) => version)).toEqual([1n, 2n]);
  });

  it("ends quietly where the server does not have the RPC, and begins anew on the next connection", async () => {
    const source = new Versions();
    const sender = new ContextSender(source, fast);
    source.change();
    const unknown = new RpcError("protocol error: unknown rpc: x", Code.Unimplemented, {
      layer: "rpc",
      drpcCode: 0,
    });
    expect(isUnimplemented(unknown)).toBe(true);
    const missing = fakeServer(() => unknown);
    await sender.run(missing.agent, new AbortController().signal);
    expect([missing.pushes.length, sender.pending, source.listeners.size]).toEqual([1, 0, 0]);
    await sender.whenEmpty();
    const { pushes, agent } = fakeServer(() => accepted);
    await running(sender, agent, () => eventually(() => pushes.length === 1));
    expect(pushes).toEqual([{ version: 1n, initial: true }]);
  });

  it.each([
    ["an RPC's", lost()],
    ["the transport's", new TransportError("session", "ping-timeout", "no answer")],
  ])("gives the connection up with %s error when it is lost", async (_whose, error) => {
    const source = new Versions();
    source.change();
    const sender = new ContextSender(source, fast);
    expect(await failure(sender.run(fakeServer(() => error).agent, new AbortController().signal))).toBe(
      error,
    );
    expect([sender.pending, source.listeners.size]).toEqual([1, 0]);
  });

  it("ends with the signal's reason wherever it waits, and leaves no listener", async () => {
    const waitsForChange = new Versions();
    const waitsForAnswer = new Versions();
    const waitsToRetry = new Versions();
    waitsForAnswer.change();
    waitsToRetry.change();
    const answers = (signal: AbortSignal) =>
      new Promise<never>((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(new ConnectError("canceled", Code.Canceled)), {
          once: true,
        });
      });
    for (const [source, answer] of [
      [waitsForChange, () => accepted],
      [waitsForAnswer, answers],
      [waitsToRetry, refused],
    ] as const) {
      const abort = new AbortController();
      const sender = new ContextSender(source);
      const server = fakeServer(() => answer(abort.signal));
      const ended = failure(sender.run(server.agent, abort.signal));
      const empty = source === waitsForChange ? undefined : failure(sender.whenEmpty(abort.signal));
      await new Promise((resolve) => setImmediate(resolve));
      abort.abort(new Error("enough"));
      expect((await ended).message).toBe("enough");
      if (empty !== undefined) expect((await empty).message).toBe("enough");
      expect(source.listeners.size).toBe(0);
      expect(getEventListeners(abort.signal, "abort")).toHaveLength(0);
    }
  });

  it("has the server know the newest snapshot in the end, whatever it and the connections do", async () => {
    const step = fc.constantFrom("answer", "late", "refuse", "cut", "missing", "change");
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.array(fc.nat(4), { maxLength: 40 }),
        async (steps, gaps) => {
          const source = new Versions();
          const sender = new ContextSender(source, fast);
          let stored = 0n;
          const connections: Push[][] = [];
          let left = [...steps];
          const connectionOf = () => {
            const { pushes, agent } = fakeServer(({ version }) => {
              const what = left.shift();
              if (what === "cut") return lost();
              if (what === "refuse") return refused();
              if (what === "missing") return new ConnectError("Unimplemented", Code.Unimplemented);
              if (what === "change") source.change();
              stored = version;
              if (what !== "late") return accepted;
              return new Promise((resolve) => setImmediate(() => resolve({ accepted: true })));
            });
            connections.push(pushes);
            return agent;
          };
          source.change();
          const end = new AbortController();
          const session = (async () => {
            while (!end.signal.aborted) {
              await sender.run(connectionOf(), end.signal).catch(() => {});
              // after a server without the RPC comes another one
              await new Promise((resolve) => setImmediate(resolve));
            }
          })();
          for (const gap of gaps) {
            for (let i = 0; i < gap; i++) await new Promise((resolve) => setImmediate(resolve));
            source.change();
          }
          left = left.filter((what) => what !== "missing");
          await eventually(() => left.length === 0 || sender.pending === 0, "the sender is through");
          left = [];
          await eventually(() => sender.pending === 0 && stored === source.version, "the newest is stored");
          end.abort();
          await session;

          expect(source.listeners.size).toBe(0);
          for (const pushes of connections) {
            // initial until the first is answered, never again after that
            const first = pushes[0]?.version;
            for (const { version, initial } of pushes) expect(initial).toBe(version === first);
            for (const [i, { version }] of pushes.entries()) {
              expect(version >= (pushes[i - 1]?.version ?? 0n)).toBe(true);
            }
          }
        },
      ),
      runs(100),
    );
  });
});
