import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import {
  type AgentEvent,
  type AgentOptions,
  type AgentPart,
  createAgent,
  type RunningAgent,
} from "../../src/agent/index.js";
import { type AgentDefinition, FakeClock } from "../../src/testing/index.js";
import { eventually, token } from "../support/control-plane.js";
import { testPlane } from "../support/test-plane.js";

const quiet = { socket: false, boundaryLogs: false, context: false } as const;

function start(target: { url: string; token: string }, options: Partial<AgentOptions> = {}) {
  const events: AgentEvent[] = [];
  const agent = createAgent({
    dial: { ...target, proxy: false },
    backoff: { firstMs: 1, maxMs: 5, spreadMs: 5 },
    onEvent: (event) => events.push(event),
    ...options,
    parts: { ...quiet, ...options.parts },
  });
  onTestFinished(() => agent.stop().then(() => {}));
  return { agent, events };
}

async function running(definition: Partial<AgentDefinition> = {}, options: Partial<AgentOptions> = {}) {
  const plane = await testPlane({ agent: definition });
  return { plane, main: plane.agent, ...start(plane.agent.target, options) };
}

/** The clock of all timers of this process, until the test ends. */
function installedClock(): FakeClock {
  const clock = new FakeClock();
  onTestFinished(clock.install());
  return clock;
}

const never = () => new Promise<never>(() => {});
const warnings = (events: readonly AgentEvent[]) =>
  events.flatMap((event) => (event.kind === "warning" ? [event.text] : []));

/** A folder for temporary files that no other test has. @returns what is left in it. */
async function ownTemporaryFolder(): Promise<() => Promise<string[]>> {
  const folder = await mkdtemp(join(tmpdir(), "agentwire-endings-"));
  vi.stubEnv("TMPDIR", folder);
  onTestFinished(async () => {
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true, force: true });
  });
  return () => readdir(folder);
}

describe("an agent is stopped", () => {
  const moments: Record<string, (agent: RunningAgent) => Promise<unknown> | unknown> = {
    "at once": () => {},
    "after a turn": () => Promise.resolve(),
    "a little later": () => new Promise((resolve) => setTimeout(resolve, 3)),
    "during the first dial": () => new Promise((resolve) => setTimeout(resolve, 15)),
  };

  it.each(Object.keys(moments))("%s, without a trace", async (moment) => {
    const leftBehind = await ownTemporaryFolder();
    const { agent } = await running();
    await moments[moment]?.(agent);
    expect(await agent.stop()).toEqual({ error: undefined, unsent: [] });
    expect(await leftBehind()).toEqual([]);
  });

  it("before its first dial: there is none", async () => {
    let dials = 0;
    const { agent } = await running({}, { dial: { url: "http://127.0.0.1:9", token: () => `${++dials}` } });
    await agent.stop();
    expect(dials).toBe(0);
  });

  it("during a dial that hangs", async () => {
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    onTestFinished(() => void silent.close());
    const sockets = vi.fn();
    silent.on("connection", (socket) => {
      sockets();
      onTestFinished(() => void socket.destroy());
    });
    const { agent } = start({
      url: `http://127.0.0.1:${(silent.address() as { port: number }).port}`,
      token,
    });
    await eventually(() => sockets.mock.calls.length > 0, "the dial");
    expect(await agent.stop()).toEqual({ error: undefined, unsent: [] });
  });

  it("while a part opens that never does, and one that opens too late is closed", async () => {
    const order: string[] = [];
    let open: () => void = () => {};
    const late = new Promise<void>((resolve) => {
      open = resolve;
    });
    const opening = vi.fn(() => late);
    const slow: AgentPart = { name: "slow", open: opening, close: () => void order.push("slow closed") };
    const next: AgentPart = { name: "next", open: () => void order.push("next opened") };
    const { agent, events } = await running({}, { more: [() => slow, () => next] });
    await eventually(() => opening.mock.calls.length === 1, "the opening");
    expect(await agent.stop()).toEqual({ error: undefined, unsent: [] });
    expect(order).toEqual([]);
    open();
    await eventually(() => order.length > 0, "the late part's end");
    expect(order).toEqual(["slow closed"]);
    expect(warnings(events)).toEqual([]);
  });

  it("while a start script runs and again while that ends", async () => {
    const { agent, main } = await running({
      scripts: [{ displayName: "Start", script: "echo on; exec sleep 300", runOnStart: true }],
    });
    await main.expectLogs("on");
    const ends = await Promise.all([agent.stop(), agent.stop(), agent.stop()]);
    expect(ends).toEqual(Array(3).fill({ error: undefined, unsent: [] }));
    expect(main.lifecycles().at(-1)).toBe("off");
  });

  it("in the middle of a manifest: nothing begins any more", async () => {
    const calls: string[] = [];
    let stopping: Promise<unknown> | undefined;
    const { agent } = await running(
      {},
      {
        more: [
          () => ({
            name: "mine",
            onManifest: () => {
              stopping = agent.stop();
            },
            begin: async () => {
              calls.push("begin");
              return undefined;
            },
            onBegun: () => void calls.push("begun"),
            onConnection: async () => void calls.push("connection"),
            end: async () => {
              calls.push("end");
              return undefined;
            },
            close: () => void calls.push("close"),
          }),
        ],
      },
    );
    await eventually(() => stopping !== undefined, "the manifest");
    await stopping;
    expect(calls).toEqual(["close"]);
    expect(agent.state).toBe("off");
  });
});

describe("a part that hangs", () => {
  it.each(["open", "begin", "onBegun", "close"] as const)(
    "in %s keeps its agent neither from working nor from ending",
    async (step) => {
      const clock = installedClock();
      const hang = vi.fn(never);
      const { agent, events } = await running({}, { more: [() => ({ name: "stuck", [step]: hang })] });
      if (step === "open") {
        while (hang.mock.calls.length === 0) await clock.advance(1);
        await clock.advance(20_000);
      }
      while (agent.state !== (step === "begin" ? "starting" : "ready")) await clock.advance(1);
      const stopped = agent.stop();
      await clock.advance(50_000);
      expect(await stopped).toEqual({ error: undefined, unsent: [] });
      expect(warnings(events)).toEqual([
        step === "open"
          ? "stuck is left out: not open within 20000 ms"
          : `stuck: not ${step === "close" ? "closed" : "ended"} within 20000 ms`,
      ]);
    },
    20_000,
  );

  it("with its connection is left behind", async () => {
    const clock = installedClock();
    const { agent } = await running({}, { more: [() => ({ name: "stuck", onConnection: never })] });
    while (agent.state !== "ready") await clock.advance(1);
    const stopped = agent.stop();
    await clock.advance(10_000);
    expect(await stopped).toEqual({ error: undefined, unsent: [] });
    expect(agent.state).toBe("off");
  }, 20_000);
});

describe("a part that fails on a connection", () => {
  it("ends the others on it, and they are there once on the next", async () => {
    let failures = 0;
    const live = new Set<AbortSignal>();
    const { plane, agent } = await running(
      {},
      {
        more: [
          () => ({
            name: "shy",
            onConnection: async () => {
              if (++failures <= 3) throw new Error("not today");
            },
          }),
          () => ({
            name: "steady",
            onConnection: async (_connection, signal) => {
              live.add(signal);
              await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
              live.delete(signal);
            },
          }),
        ],
      },
    );
    await eventually(() => failures === 4, "the fourth connection");
    await eventually(() => live.size === 1, "one use of the part");
    expect(await plane.sessionCount()).toBe(1);
    await agent.stop();
    expect(live.size).toBe(0);
  });
});

describe("a listener that throws", () => {
  it.each([
    [
      "throws",
      () => {
        throw new Error("bad listener");
      },
    ],
    [
      "rejects",
      async () => {
        throw new Error("bad listener");
      },
    ],
  ])("and %s costs the agent nothing, and is told once", async (_how, onEvent) => {
    const told: string[] = [];
    const warn = vi.spyOn(process, "emitWarning").mockImplementation((text) => void told.push(String(text)));
    onTestFinished(() => warn.mockRestore());
    const { agent, main } = await running(
      { scripts: [{ displayName: "Stop", script: "true", runOnStop: true }] },
      {
        onEvent,
        more: [
          () => ({
            name: "bad",
            open: () => {
              throw new Error("no");
            },
          }),
        ],
      },
    );
    await main.expectLifecycle("ready");
    expect(await agent.stop()).toEqual({ error: undefined, unsent: [] });
    await main.expectLifecycle("off");
    expect(told).toEqual(["onEvent: bad listener"]);
  });
});

describe("what could not be sent", () => {
  const countsOf = (unsent: readonly { sender: string; count: number }[]) =>
    Object.fromEntries(unsent.map(({ sender, count }) => [sender, count]));
  const saysBye = { scripts: [{ displayName: "Stop", script: "echo bye", runOnStop: true }] };

  it("is told of a server that stops answering, within the time for it", async () => {
    const { plane, main, agent, events } = await running(saysBye);
    await main.expectLifecycle("ready");
    plane.delay(3_600_000);
    const begin = performance.now();
    const { error, unsent } = await agent.stop();
    expect(performance.now() - begin).toBeLessThan(15_000);
    expect(error).toBeUndefined();
    expect(countsOf(unsent)).toMatchObject({ logs: 1, "script-timings": 1 });
    // and one whose answer was still on its way, if there was one
    expect(countsOf(unsent)["lifecycle"]).toBeGreaterThanOrEqual(2);
    expect(events.at(-1)).toEqual({ kind: "unsent", unsent });
  }, 30_000);

  it("has what stop scripts had to say after a refusal for good", async () => {
    const { plane, main, agent } = await running(saysBye, { unauthorizedGraceMs: 0 });
    await main.expectLifecycle("ready");
    plane.refuse(401);
    plane.cut();
    const { error, unsent } = await agent.ended;
    expect(error).toMatchObject({ status: 401 });
    expect(countsOf(unsent)).toMatchObject({ logs: 1 });
    expect(countsOf(unsent)["lifecycle"]).toBeGreaterThanOrEqual(2);
    expect(agent.state).toBe("off");
  });

  it("is sent over a new connection when the last was lost before (C4.89)", async () => {
    const backoff = { firstMs: 200, maxMs: 200, random: () => 0.9 };
    const { plane, main, agent, events } = await running(saysBye, { backoff });
    await main.expectLifecycle("ready");
    plane.cut();
    await plane.waitFor("the loss", () => events.some(({ kind }) => kind === "disconnected"));
    expect(await agent.stop()).toEqual({ error: undefined, unsent: [] });
    expect(main.lifecycles().at(-1)).toBe("off");
    expect(await main.logs()).toEqual(["bye"]);
  });
});

describe("an agent that cannot begin", () => {
  it.each<[string, Partial<AgentOptions>, string]>([
    [
      "a part that cannot be made",
      {
        more: [
          () => {
            throw new Error("no such part");
          },
        ],
      },
      "no such part",
    ],
    ["a command whose name is no file's", { commands: { "a/b": ["true"] } }, "ENOENT"],
  ])("because of %s says why, and leaves nothing", async (_what, options, text) => {
    const leftBehind = await ownTemporaryFolder();
    const { agent } = await running({}, options);
    expect((await agent.ended).error?.message).toContain(text);
    expect(await leftBehind()).toEqual([]);
  });

  it("because of how it is to dial closes the parts that are open", async () => {
    let isClosed = false;
    const close = () => {
      isClosed = true;
    };
    const { agent } = await running({}, { backoff: null as never, more: [() => ({ name: "mine", close })] });
    expect((await agent.ended).error).toBeInstanceOf(Error);
    expect(isClosed).toBe(true);
  });
});
