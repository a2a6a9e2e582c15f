import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type AgentEvent, type AgentOptions, type AgentPart, createAgent } from "../../src/agent/index.js";
import type { AgentDefinition, TestPlaneOptions } from "../../src/testing/index.js";
import { testPlane } from "../support/test-plane.js";

async function agentOn(planeOptions: TestPlaneOptions, options: Partial<AgentOptions>) {
  const plane = await testPlane(planeOptions);
  const events: AgentEvent[] = [];
  const agent = createAgent({
    dial: { ...plane.agent.target, proxy: false },
    onEvent: (event) => events.push(event),
    ...options,
    parts: { socket: false, boundaryLogs: false, context: false, ...options.parts },
  });
  onTestFinished(() => agent.stop().then(() => {}));
  return { plane, agent, events, main: plane.agent };
}

const agentWith = (options: Partial<AgentOptions>, definition: Partial<AgentDefinition> = {}) =>
  agentOn({ agent: definition }, options);

describe("the parts of an agent", () => {
  it("can be left out", async () => {
    const { agent, main } = await agentWith(
      { parts: { scripts: false } },
      { scripts: [{ displayName: "Start", script: "exit 1", runOnStart: true }] },
    );
    await main.expectLifecycle("ready");
    await agent.stop();
    expect(await main.logs()).toEqual([]);
    await main.expectLifecycle("off");
  });

  it("can be replaced, and called in the order of an agent's life", async () => {
    const calls: string[] = [];
    const part: AgentPart = {
      name: "mine",
      open: () => void calls.push("open"),
      onManifest: ({ agentName }) => void calls.push(`manifest of ${agentName}`),
      begin: async () => {
        calls.push("begin");
        return "timeout";
      },
      onBegun: () => void calls.push("begun"),
      onConnection: async (_connection, signal) => {
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        calls.push("connection ends");
      },
      end: async () => {
        calls.push("end");
        return "error";
      },
      close: () => void calls.push("close"),
    };
    const { agent, plane, main } = await agentWith({ parts: { scripts: () => part } });
    await main.expectLifecycle("start_timeout");
    await plane.waitFor("begun", () => calls.includes("begun"));
    await agent.stop();
    expect(calls).toEqual(["open", "manifest of main", "begin", "begun", "connection ends", "end", "close"]);
    await main.expectLifecycle("shutdown_error");
  });

  it("that fail are told of, and cost nothing else", async () => {
    const fail = (what: string) => () => {
      throw new Error(`no ${what}`);
    };
    const { agent, events, main } = await agentWith({
      more: [
        () => ({ name: "closed", open: fail("opening") }),
        () => ({
          name: "broken",
          onManifest: fail("manifest"),
          begin: fail("begin"),
          onBegun: fail("begun"),
          end: fail("end"),
          close: fail("close"),
        }),
      ],
    });
    await main.expectLifecycle("ready");
    await agent.stop();
    await main.expectLifecycle("off");
    expect(events.flatMap((event) => (event.kind === "warning" ? [event.text] : []))).toEqual([
      "closed is left out: no opening",
      "broken: no manifest",
      "broken: no begin",
      "broken: no begun",
      "broken: no end",
      "broken: no close",
    ]);
  });

  it("that fail on a connection give it up, and the next may be better", async () => {
    let attempts = 0;
    const { events, plane, main } = await agentWith({
      backoff: { firstMs: 1, maxMs: 2 },
      more: [
        () => ({
          name: "shy",
          onConnection: async () => {
            if (++attempts === 1) throw new Error("not today");
          },
        }),
      ],
    });
    await main.expectLifecycle("ready");
    await plane.waitFor("the second connection", () => attempts === 2);
    expect(events).toContainEqual(
      expect.objectContaining({ kind: "disconnected", reason: "shy: not today" }),
    );
  });
});

describe("what an agent lives on with", () => {
  it("is an agent socket whose place is taken, and a path that is too long", async () => {
    const folder = await mkdtemp(join(tmpdir(), "agentwire-parts-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const { events, main } = await agentWith({
      parts: {
        socket: { path: join(folder, "s".repeat(200)) },
        boundaryLogs: { path: join(folder, "missing", "boundary.sock") },
      },
    });
    await main.expectLifecycle("ready");
    const texts = events.flatMap((event) => (event.kind === "warning" ? [event.text] : []));
    expect(texts).toHaveLength(2);
    expect(texts[0]).toMatch(/^socket is left out: create socket: the path .* has room for 107/);
    expect(texts[1]).toMatch(/^boundary-logs is left out: /);
  });

  it("is another agent on this machine, which keeps its sockets to its end", async () => {
    const folder = await mkdtemp(join(tmpdir(), "agentwire-parts-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const socket = { path: join(folder, "agent.sock") };
    const boundaryLogs = { path: join(folder, "boundary.sock") };
    const first = await agentWith({ parts: { socket, boundaryLogs } });
    await first.main.expectLifecycle("ready");
    const second = await agentWith({ parts: { socket, boundaryLogs } });
    await second.main.expectLifecycle("ready");
    const texts = second.events.flatMap((event) => (event.kind === "warning" ? [event.text] : []));
    expect(texts).toEqual([
      `socket is left out: create socket: socket path ${socket.path} is not available: another program serves it`,
      `boundary-logs is left out: listen on socket: socket path ${boundaryLogs.path} is not available: another program serves it`,
    ]);
    await second.agent.stop();
    expect((await readdir(folder)).sort()).toEqual(["agent.sock", "boundary.sock"]);
    await first.agent.stop();
    expect(await readdir(folder)).toEqual([]);
  });

  it("is a script of a megabyte, and one that writes what is not UTF-8 (C3.7)", async () => {
    const filler = `# ${"x".repeat(1024)}\n`.repeat(1024);
    const { main } = await agentWith(
      {},
      {
        scripts: [
          { displayName: "Huge", script: `${filler}echo huge`, runOnStart: true },
          { displayName: "Bytes", script: "printf 'a\\377\\376b\\n'", runOnStart: true },
        ],
      },
    );
    await main.expectLifecycle("ready");
    await main.expectLogs("huge");
    await main.expectLogs("a❌b");
    expect(await main.logs()).toHaveLength(2);
  });

  it("is a server that takes no more logs: scripts go on, which is told once", async () => {
    const folder = await mkdtemp(join(tmpdir(), "agentwire-parts-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const done = join(folder, "done");
    const { events, main } = await agentWith(
      {},
      {
        scripts: [
          {
            displayName: "Loud",
            script: `head -c 3000000 /dev/zero | tr '\\0' x | fold -w 1000; touch ${done}`,
            runOnStart: true,
          },
        ],
      },
    );
    await main.expectLifecycle("ready");
    await writeFile(done, "it is there", { flag: "r+" });
    const told = events.filter((event) => event.kind === "warning" && event.text.includes("no more logs"));
    expect(told).toHaveLength(1);
  });
});

describe("a prebuilt workspace", () => {
  it("that is given to somebody has its agent end in order, and begin anew with a new manifest (C1.68, C4.90)", async () => {
    const scripts = [
      { displayName: "Start", script: 'echo "for $CODER_WORKSPACE_OWNER_NAME"', runOnStart: true },
      { displayName: "Stop", script: "echo bye", runOnStop: true },
    ];
    const pool = { owner: "", name: "p", isPrebuilt: true, agents: [{ name: "main", scripts }] };
    const { agent, events, main } = await agentOn({ workspaces: [pool] }, { reinit: true });
    const states = () => events.flatMap((event) => (event.kind === "lifecycle" ? [event.state] : []));
    await main.expectLifecycle("ready");
    const mine = await main.claim("bob", "mine");
    await mine.expectLifecycle(["starting", "ready"], { timeoutMs: 15_000 });
    const whole = ["starting", "ready", "shutting_down", "off"];
    expect(states()).toEqual([...whole, "starting", "ready"]);
    await mine.expectLogs("for bob");
    // the first life's end is told where the token now belongs to
    expect(await mine.logs()).toEqual(["bye", "for bob"]);
    expect(events.filter(({ kind }) => kind === "reinitialising")).toHaveLength(1);
    await agent.stop();
    expect(states()).toEqual([...whole, ...whole]);
  });
});
