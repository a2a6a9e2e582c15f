import { Code } from "@connectrpc/connect";
import { expect, it, vi } from "vitest";
import { AppStatusState, RpcError, Tailnet } from "../../src/client/index-node.js";
import type { ContextService } from "../../src/local/index.js";
import { createServiceClient } from "../../src/rpc/index.js";
import { agentSocket, clientOf, socketPath } from "../local/socket/support.js";
import { controlPlane, dialled, eventually } from "../support/control-plane.js";
import { collect, failure } from "../support/echo.js";
import { describeWithGo, type Facts, GoPeer } from "../support/go-peer.js";
import { commandMs, goCall, goRefusal } from "./support/go-client.js";

const service = "/coder.agentsocket.v1.AgentSocket";
const socketRpc = (method: string) => `${service}/${method}`;

/** Our socket and a Go client on one connection to it. */
async function ourSocket(options: Parameters<typeof agentSocket>[0] = {}, dial: Facts = {}) {
  const socket = await agentSocket(options);
  const peer = GoPeer.start();
  const dialGo = () => peer.handle("dialTcp", { network: "unix", addr: socket.path, plain: true, ...dial });
  const handle = await dialGo();
  const call = (method: string, json: unknown = {}) => goCall(peer, handle, socketRpc(method), json);
  const refusal = (method: string, json: unknown = {}) => goRefusal(call(method, json));
  return { socket, peer, dialGo, handle, call, refusal };
}

/** A Go server on a Unix socket, and our client of it. */
async function goSocket(options: Facts = {}) {
  const peer = GoPeer.start();
  const path = await socketPath();
  const handle = await peer.handle("serveTcp", {
    network: "unix",
    addr: path,
    mode: "drpc-plain",
    ...options,
  });
  const connection = await clientOf({ path });
  return {
    peer,
    connection,
    calls: connection.agentSocket,
    script: (method: string, behaviour: Facts | null) =>
      peer.do("script", { handle, rpc: method.startsWith("/") ? method : socketRpc(method), behaviour }),
    seen: async (method: string) =>
      (await peer.do("calls", { handle, rpc: socketRpc(method) }))["calls"] as Facts[],
    sessions: () => peer.events.filter(({ event }) => event === "session").length,
    ended: () => peer.events.filter(({ event }) => event === "sessionEnd").length,
    complaints: () => peer.events.filter(({ event }) => event === "drpcError"),
  };
}

const context: ContextService = {
  sources: () => ["/home/ada/notes"],
  canonical: (path) => path.replace(/^~/, "/home/ada"),
  addSource: async (path) => {
    if (path === "/nowhere") throw new Error("no such directory");
    return path.replace(/^~/, "/home/ada");
  },
  removeSource: async (path) => path === "/home/ada/notes",
  snapshot: () => snapshot(3n),
  resync: async () => snapshot(4n),
};

function snapshot(version: bigint) {
  const resource = {
    id: "skill:x",
    kind: "skill" as const,
    source: "/home/ada/notes",
    sourcePath: "/home/ada/notes/SKILL.md",
    contentHash: Uint8Array.of(0xab),
    sizeBytes: 5n,
    status: "ok" as const,
    error: "",
    name: "x",
    description: "",
  };
  return {
    version,
    aggregateHash: Uint8Array.of(1, 2),
    snapshotError: "",
    payloadBytes: 5n,
    resources: [resource],
  };
}

describeWithGo("a Go client of our agent socket", () => {
  it("C5.9 to C5.15 makes all calls of the unit graph, on one connection", async () => {
    const { socket, call } = await ourSocket();
    expect(await call("Ping")).toEqual({});
    await call("SyncWant", { unit: "app", dependsOn: "db" });
    expect(await call("SyncReady", { unit: "app" })).toEqual({});
    await call("SyncStart", { unit: "db" });
    expect(await call("SyncStatus", { unit: "app" })).toEqual({
      status: "pending",
      dependencies: [{ unit: "app", dependsOn: "db", requiredStatus: "completed", currentStatus: "started" }],
    });
    await call("SyncComplete", { unit: "db" });
    expect(await call("SyncReady", { unit: "app" })).toEqual({ ready: true });
    await call("SyncStart", { unit: "app" });
    const { units } = await call("SyncList");
    expect(units).toHaveLength(2);
    expect(units).toContainEqual({ unit: "app", status: "started", isReady: true });
    expect(socket.connectionCount).toBe(1);
  });

  it("C5.11 to C5.18 reads every text as it is, with code 0, and calls on", async () => {
    const { call, refusal } = await ourSocket();
    await call("SyncStart", { unit: "u" });
    await call("SyncWant", { unit: "w", dependsOn: "u" });
    const texts: [string, unknown, string][] = [
      ["SyncReady", {}, "cannot check readiness: unit ID cannot be empty: unit name is required"],
      ["SyncStatus", {}, "cannot check readiness: unit ID cannot be empty: unit name is required"],
      ["SyncStart", { unit: "w" }, 'cannot start unit "w": unit not ready'],
      [
        "SyncStart",
        { unit: "u" },
        'cannot start unit "u": checking status for unit "u": same status already set',
      ],
      ["SyncStart", {}, 'SyncStart: registering unit "": unit name is required'],
      ["SyncComplete", {}, 'cannot complete unit "": updating status for unit "": unit name is required'],
      [
        "SyncComplete",
        { unit: "x" },
        'cannot complete unit "x": unit "x" must be registered first: unit not found',
      ],
      ["SyncWant", { dependsOn: "u" }, 'cannot add dependency: registering unit "": unit name is required'],
      [
        "SyncWant",
        { unit: "u" },
        "cannot add dependency: dependency name cannot be empty: unit name is required",
      ],
      [
        "SyncWant",
        { unit: "u", dependsOn: "w" },
        'cannot add dependency: adding edge for unit "u": failed to add dependency\nadding edge (u -> w): cycle detected',
      ],
      ["UpdateAppStatus", { slug: "a" }, "agent not connected to coderd"],
      ["ContextSources", {}, "context manager not available"],
    ];
    for (const [method, json, text] of texts) {
      expect(await refusal(method, json)).toEqual({ text, code: undefined });
    }
    expect(await call("Ping")).toEqual({});
  });

  it("C5.16 reports app statuses through our agent's connection, and reads the server's code and text", async () => {
    const plane = await controlPlane({ apps: [{ slug: "assistant" }] });
    const { agent } = await dialled(plane);
    const { socket, call, refusal } = await ourSocket();
    socket.setControlPlane(agent);
    await call("UpdateAppStatus", { slug: "assistant", state: "IDLE", message: "hello" });
    expect(await plane.store.appStatuses({ agentId: plane.agents[0]?.id ?? "" }, 10)).toMatchObject([
      { state: "idle", message: "hello" },
    ]);
    const direct = await failure(
      agent.updateAppStatus({ slug: "x", state: AppStatusState.IDLE, message: "y" }),
    );
    const { text, code } = await refusal("UpdateAppStatus", { slug: "x", state: "IDLE", message: "y" });
    expect(text).toBe(direct.rawMessage);
    expect(code ?? "0").toBe(String(direct.drpcCode));
  });

  it("C5.19 makes the context calls", async () => {
    const { call, refusal } = await ourSocket({ context });
    expect(await call("ContextSources")).toEqual({ sources: [{ path: "/home/ada/notes" }] });
    expect(await call("GetContextSource", { path: "~/notes" })).toEqual({
      source: { path: "/home/ada/notes" },
    });
    expect((await refusal("GetContextSource", { path: "~/x" })).text).toBe('"~/x": context source not found');
    expect(await call("AddContextSource", { path: "~/x" })).toEqual({ source: { path: "/home/ada/x" } });
    expect((await refusal("AddContextSource", { path: "/nowhere" })).text).toBe(
      "add context source: no such directory",
    );
    expect(await call("RemoveContextSource", { path: "/home/ada/notes" })).toEqual({});
    expect((await refusal("RemoveContextSource", { path: "x" })).text).toBe('"x": context source not found');
    const wanted = {
      aggregateHash: "0102",
      payloadBytes: "5",
      resources: [
        {
          id: "skill:x",
          kind: "skill",
          source: "/home/ada/notes",
          sourcePath: "/home/ada/notes/SKILL.md",
          contentHash: "ab",
          sizeBytes: "5",
          status: "ok",
          name: "x",
        },
      ],
    };
    expect(await call("GetContextSnapshot")).toEqual({ snapshot: { version: "3", ...wanted } });
    expect(await call("ResyncContext")).toEqual({ snapshot: { version: "4", ...wanted } });
  });

  it("C5.1 makes hundreds of calls one after the other, also when each byte comes alone", async () => {
    for (const faults of [{}, { bytewise: true, drpcSplitSize: 3 }]) {
      const { socket, peer, handle } = await ourSocket({}, faults);
      const rpc = socketRpc("SyncStatus");
      const result = await peer.do("callMany", {
        handle,
        rpc,
        json: { unit: "x" },
        count: 300,
        timeoutMs: commandMs,
      });
      expect(result).toMatchObject({ succeeded: 300, failed: 0 });
      expect(socket.connectionCount).toBe(1);
    }
  });

  it("C5.1 has calls at the same time wait for each other on a connection, but not on several", async () => {
    const { socket, peer, handle, dialGo, call } = await ourSocket();
    let running = 0;
    let release = () => {};
    socket.setContext({
      ...context,
      resync: () => {
        running++;
        return new Promise((resolve) => {
          release = () => resolve(snapshot(5n));
        });
      },
    });
    const slow = call("ResyncContext");
    await eventually(() => running === 1, "the call runs");
    let isAnswered = false;
    const behind = call("Ping").then(() => {
      isAnswered = true;
    });
    expect(await goCall(peer, await dialGo(), socketRpc("Ping"))).toEqual({});
    expect(isAnswered).toBe(false);
    release();
    await slow;
    await behind;
    expect((await peer.do("call", { handle, rpc: socketRpc("Ping"), timeoutMs: commandMs }))["json"]).toEqual(
      {},
    );
  });

  it("that gives a call up, or vanishes in the middle, cancels its handler, and costs nobody else anything", async () => {
    const { socket, peer, handle, dialGo } = await ourSocket();
    const signals: AbortSignal[] = [];
    socket.setContext({
      ...context,
      resync: (signal) => {
        if (signal !== undefined) signals.push(signal);
        return new Promise(() => {});
      },
    });
    const rpc = socketRpc("ResyncContext");
    const other = await dialGo();
    await goRefusal(peer.do("call", { handle, rpc, cancelAfterMs: 30 }));
    await eventually(() => signals[0]?.aborted === true, "the handler is cancelled");
    const third = await dialGo();
    const cut = goRefusal(peer.do("call", { handle: third, rpc }));
    await eventually(() => signals.length === 2, "the second handler");
    await peer.do("close", { handle: third });
    await cut;
    await eventually(() => signals[1]?.aborted === true, "the second handler is cancelled");
    expect(await goCall(peer, other, socketRpc("Ping"))).toEqual({});
    await eventually(() => socket.connectionCount === 1, "only the good connection is left");
  });

  it("is told of an rpc that is not there, and goes on", async () => {
    const { peer, handle, call } = await ourSocket();
    const rpc = socketRpc("SyncForget");
    const { text } = await goRefusal(peer.do("call", { handle, rpc, timeoutMs: commandMs }));
    expect(text).toBe(`protocol error: unknown rpc: "${rpc}"`);
    expect(await call("Ping")).toEqual({});
  });
});

// the peer tells of a session on its output, which may come after the answer: hence the waits for their number
describeWithGo("our client of a Go agent socket", () => {
  it("C5.1 makes calls one after the other on one connection", async () => {
    const { calls, script, seen, sessions, complaints } = await goSocket();
    await script("SyncStatus", {
      reply: {
        status: "pending",
        dependencies: [{ unit: "a", dependsOn: "b", requiredStatus: "completed" }],
      },
    });
    await script("SyncReady", { reply: { ready: true } });
    for (let i = 0; i < 100; i++) {
      await calls.ping({});
      expect((await calls.syncReady({ unit: "a" })).ready).toBe(true);
      expect((await calls.syncStatus({ unit: "a" })).dependencies).toMatchObject([{ dependsOn: "b" }]);
    }
    expect((await seen("SyncReady")).filter(({ outcome }) => outcome === "ok")).toHaveLength(100);
    expect(sessions()).toBe(1);
    expect(complaints()).toEqual([]);
  });

  it("makes every call", async () => {
    const { calls, seen, complaints } = await goSocket();
    const unit = { unit: "a" };
    const path = { path: "/a" };
    await calls.syncStart(unit);
    await calls.syncWant({ unit: "a", dependsOn: "b" });
    await calls.syncComplete(unit);
    await calls.syncList({});
    await calls.updateAppStatus({ slug: "a", state: AppStatusState.IDLE, message: "m" });
    await calls.contextSources({});
    await calls.getContextSource(path);
    await calls.addContextSource(path);
    await calls.removeContextSource(path);
    await calls.getContextSnapshot({});
    await calls.resyncContext({});
    expect((await seen("SyncWant"))[0]).toMatchObject({ json: { unit: "a", dependsOn: "b" } });
    expect((await seen("UpdateAppStatus"))[0]).toMatchObject({
      json: { slug: "a", state: "IDLE", message: "m" },
    });
    expect((await seen("AddContextSource"))[0]).toMatchObject({ json: { path: "/a" } });
    expect(complaints()).toEqual([]);
  });

  it("keeps the text and code of an error, and the connection", async () => {
    const { calls, script, sessions } = await goSocket();
    await script("SyncStart", { error: { code: 0, text: 'cannot start unit "a": unit not ready' } });
    await script("UpdateAppStatus", { error: { code: 4711, text: "too long" } });
    await script("SyncList", { missing: true });
    for (let i = 0; i < 20; i++) {
      expect(await failure(calls.syncStart({ unit: "a" }))).toMatchObject({
        rawMessage: 'cannot start unit "a": unit not ready',
        drpcCode: 0,
      });
      expect(await failure(calls.updateAppStatus({}))).toMatchObject({
        rawMessage: "too long",
        drpcCode: 4711,
      });
      expect(await failure(calls.syncList({}))).toMatchObject({ code: Code.Unimplemented });
    }
    await calls.ping({});
    expect(sessions()).toBe(1);
  });

  it("opens connections for calls at the same time, and keeps one", async () => {
    const { calls, script, sessions, ended } = await goSocket();
    await script("ResyncContext", { delayMs: 50 });
    await Promise.all(Array.from({ length: 4 }, () => calls.resyncContext({})));
    await vi.waitFor(() => expect(sessions()).toBe(4));
    await eventually(() => ended() === 3, "three are closed");
    await calls.ping({});
    expect(sessions()).toBe(4);
  });

  it("that gives a call up cancels the Go handler, and dials again for the next call", async () => {
    const { calls, script, seen, sessions } = await goSocket();
    await script("ResyncContext", { stall: true });
    expect(await failure(calls.resyncContext({}, { timeoutMs: 50 }))).toMatchObject({
      code: Code.DeadlineExceeded,
    });
    await eventually(
      async () => (await seen("ResyncContext"))[0]?.["outcome"] === "canceled",
      "the Go handler is cancelled",
    );
    await calls.ping({});
    await vi.waitFor(() => expect(sessions()).toBe(2));
  });

  it("fails the call when the server cuts the connection under it, and dials again", async () => {
    const { calls, script, sessions } = await goSocket();
    await script("SyncReady", { resetStream: true });
    for (let i = 0; i < 3; i++) {
      const error = await failure(calls.syncReady({ unit: "a" }));
      expect(error).toBeInstanceOf(RpcError);
      expect(error).toMatchObject({ code: Code.Unavailable, rpc: socketRpc("SyncReady") });
    }
    await calls.ping({});
    await vi.waitFor(() => expect(sessions()).toBe(4));
  });

  it("reads answers in tiny frames, and refuses one over 4 MiB without harm to the next", async () => {
    const { calls, script } = await goSocket({ faults: { tinyFramesSize: 5, bytewise: true } });
    const snapshotError = "e".repeat(500);
    await script("GetContextSnapshot", { reply: { snapshot: { version: "7", snapshotError } } });
    for (let i = 0; i < 10; i++) {
      expect((await calls.getContextSnapshot({})).snapshot).toMatchObject({ version: 7n, snapshotError });
    }
    const { calls: large, script: scriptLarge } = await goSocket();
    await scriptLarge("GetContextSnapshot", { replyPadding: 4 * 1024 * 1024 + 1 });
    expect(await failure(large.getContextSnapshot({}))).toMatchObject({ code: Code.ResourceExhausted });
    await large.ping({});
  });

  it("streams on a plain connection too, with calls before and after", async () => {
    const { connection, calls, script, sessions, complaints } = await goSocket();
    const maps = "/coder.tailnet.v2.Tailnet/StreamDERPMaps";
    await script(maps, { messages: { count: 50, padding: 10_000 } });
    const tailnet = createServiceClient(Tailnet, connection.transport);
    for (let i = 0; i < 3; i++) {
      await calls.ping({});
      expect(await collect(tailnet.streamDERPMaps({}))).toHaveLength(50);
    }
    expect(sessions()).toBe(1);
    expect(complaints()).toEqual([]);
  });
});
