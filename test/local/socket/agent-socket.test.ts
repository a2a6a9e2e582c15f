import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { AppStatusState, RpcError } from "../../../src/client/index-node.js";
import { UpdateAppStatusResponseSchema } from "../../../src/gen/coder/agent/v2/agent_pb.js";
import type { ContextService, ContextSnapshot } from "../../../src/local/index.js";
import { dialled, eventually } from "../../support/control-plane.js";
import { failure } from "../../support/echo.js";
import { testPlane } from "../../support/test-plane.js";
import { agentSocket, clientOf } from "./support.js";

async function socketAndClient(options: Parameters<typeof agentSocket>[0] = {}) {
  const socket = await agentSocket(options);
  const { agentSocket: calls } = await clientOf(socket);
  return { socket, calls };
}

/** The text of a call that is refused; these all travel with code 0. */
async function refusal(call: Promise<unknown>): Promise<string> {
  const error = await failure(call);
  expect(error).toBeInstanceOf(RpcError);
  expect(error).toMatchObject({ code: Code.Unknown, drpcCode: 0, layer: "rpc" });
  return error.rawMessage;
}

describe("the units of the agent socket", () => {
  it("C5.9 answers a ping", async () => {
    const { calls } = await socketAndClient();
    expect(await calls.ping({})).toMatchObject({ $typeName: "coder.agentsocket.v1.PingResponse" });
  });

  it("C5.10 registers the unit, not what it depends on, and takes it twice", async () => {
    const { calls } = await socketAndClient();
    await calls.syncWant({ unit: "a", dependsOn: "b" });
    await calls.syncWant({ unit: "a", dependsOn: "b" });
    expect((await calls.syncList({})).units).toMatchObject([
      { unit: "a", status: "pending", isReady: false },
    ]);
    expect(await calls.syncStatus({ unit: "a" })).toMatchObject({
      status: "pending",
      isReady: false,
      dependencies: [
        { unit: "a", dependsOn: "b", requiredStatus: "completed", currentStatus: "", isSatisfied: false },
      ],
    });
  });

  it("C5.11, C5.14 take an unknown unit as ready, and no unit as an error", async () => {
    const { calls } = await socketAndClient();
    expect((await calls.syncReady({ unit: "x" })).ready).toBe(true);
    expect(await calls.syncStatus({ unit: "x" })).toMatchObject({
      status: "",
      isReady: true,
      dependencies: [],
    });
    const text = "cannot check readiness: unit ID cannot be empty: unit name is required";
    expect(await refusal(calls.syncReady({}))).toBe(text);
    expect(await refusal(calls.syncStatus({}))).toBe(text);
  });

  it("C5.12 starts a unit once, and only when it is ready", async () => {
    const { calls } = await socketAndClient();
    await calls.syncStart({ unit: "a" });
    expect((await calls.syncStatus({ unit: "a" })).status).toBe("started");
    expect(await refusal(calls.syncStart({ unit: "a" }))).toBe(
      'cannot start unit "a": checking status for unit "a": same status already set',
    );
    await calls.syncWant({ unit: "b", dependsOn: "a" });
    expect(await refusal(calls.syncStart({ unit: "b" }))).toBe('cannot start unit "b": unit not ready');
    expect(await refusal(calls.syncStart({}))).toBe('SyncStart: registering unit "": unit name is required');
    await calls.syncComplete({ unit: "a" });
    await calls.syncStart({ unit: "b" });
    expect((await calls.syncStatus({ unit: "b" })).status).toBe("started");
  });

  it("C5.13 completes a unit from any other status", async () => {
    const { calls } = await socketAndClient();
    await calls.syncWant({ unit: "a", dependsOn: "b" });
    await calls.syncComplete({ unit: "a" });
    expect((await calls.syncStatus({ unit: "a" })).status).toBe("completed");
    expect(await refusal(calls.syncComplete({ unit: "a" }))).toBe(
      'cannot complete unit "a": checking status for unit "a": same status already set',
    );
    expect(await refusal(calls.syncComplete({ unit: "b" }))).toBe(
      'cannot complete unit "b": unit "b" must be registered first: unit not found',
    );
    expect(await refusal(calls.syncComplete({}))).toBe(
      'cannot complete unit "": updating status for unit "": unit name is required',
    );
  });

  it("C5.15 lists registered units only", async () => {
    const { calls } = await socketAndClient();
    expect((await calls.syncList({})).units).toEqual([]);
    await calls.syncWant({ unit: "a", dependsOn: "b" });
    await calls.syncStart({ unit: "c" });
    const units = (await calls.syncList({})).units.map(({ unit, status, isReady }) => [
      unit,
      status,
      isReady,
    ]);
    expect(units.sort()).toEqual([
      ["a", "pending", false],
      ["c", "started", true],
    ]);
  });

  it("C5.18 says why a dependency is refused", async () => {
    const { calls } = await socketAndClient();
    expect(await refusal(calls.syncWant({ dependsOn: "b" }))).toBe(
      'cannot add dependency: registering unit "": unit name is required',
    );
    expect(await refusal(calls.syncWant({ unit: "a" }))).toBe(
      "cannot add dependency: dependency name cannot be empty: unit name is required",
    );
    await calls.syncWant({ unit: "a", dependsOn: "b" });
    expect(await refusal(calls.syncWant({ unit: "b", dependsOn: "a" }))).toBe(
      'cannot add dependency: adding edge for unit "b": failed to add dependency\nadding edge (b -> a): cycle detected',
    );
    expect(await refusal(calls.syncWant({ unit: "c", dependsOn: "c" }))).toBe(
      'cannot add dependency: adding edge for unit "c": failed to add dependency\nadding edge (c -> c): cycle detected',
    );
  });
});

describe("app statuses through the agent socket (C5.16)", () => {
  const status = { slug: "assistant", state: AppStatusState.IDLE, message: "waiting for you" };

  it("go to the control plane that the agent is connected to", async () => {
    const plane = await testPlane({ agent: { apps: [{ slug: "assistant" }] } });
    const connection = await dialled(plane.agent);
    const { socket, calls } = await socketAndClient();
    socket.setControlPlane(connection.agent);
    await calls.updateAppStatus(status);
    await plane.agent.expectAppStatus({ slug: "assistant", state: "idle", message: "waiting for you" });
    // the server's own code and text
    const refused = await failure(connection.agent.updateAppStatus({ ...status, slug: "nobody" }));
    expect(refused.rawMessage).not.toBe("");
    const passed = await failure(calls.updateAppStatus({ ...status, slug: "nobody" }));
    expect(passed.rawMessage).toBe(refused.rawMessage);
    expect(passed.drpcCode).toBe(refused.drpcCode);
  });

  it("keep code and text of an error of the control plane", async () => {
    const { socket, calls } = await socketAndClient();
    const error = new RpcError("limit of 7 statuses", Code.Unknown, { layer: "rpc", drpcCode: 4711 });
    socket.setControlPlane({ updateAppStatus: () => Promise.reject(error) });
    expect(await failure(calls.updateAppStatus(status))).toMatchObject({
      rawMessage: "limit of 7 statuses",
      drpcCode: 4711,
    });
  });

  it("are refused while the agent is not connected", async () => {
    const { socket, calls } = await socketAndClient();
    expect(await refusal(calls.updateAppStatus(status))).toBe("agent not connected to coderd");
    socket.setControlPlane({ updateAppStatus: async () => create(UpdateAppStatusResponseSchema) });
    await calls.updateAppStatus(status);
    socket.setControlPlane(undefined);
    expect(await refusal(calls.updateAppStatus(status))).toBe("agent not connected to coderd");
  });

  it("are given up when their caller gives them up", async () => {
    const { socket, calls } = await socketAndClient();
    let forwarded: AbortSignal | undefined;
    socket.setControlPlane({
      updateAppStatus: (_request, options) => {
        forwarded = options?.signal;
        return new Promise(() => {});
      },
    });
    const abort = new AbortController();
    const call = failure(calls.updateAppStatus(status, { signal: abort.signal }));
    await eventually(() => forwarded !== undefined, "the call is forwarded");
    abort.abort();
    expect(await call).toMatchObject({ code: Code.Canceled });
    await eventually(() => forwarded?.aborted === true, "it is given up");
  });
});

/** A context that is in memory only. */
class MemoryContext implements ContextService {
  readonly paths = new Set<string>(["/home/ada/notes"]);
  version = 1n;
  failure: Error | undefined;

  sources() {
    return [...this.paths];
  }

  canonical(path: string) {
    return path.replace(/^~/, "/home/ada");
  }

  async addSource(path: string) {
    if (this.failure !== undefined) throw this.failure;
    this.paths.add(this.canonical(path));
    return this.canonical(path);
  }

  async removeSource(path: string) {
    if (this.failure !== undefined) throw this.failure;
    return this.paths.delete(this.canonical(path));
  }

  snapshot(): ContextSnapshot {
    return {
      version: this.version,
      aggregateHash: Uint8Array.of(0xab, 0x01),
      snapshotError: "too many",
      payloadBytes: 12n,
      resources: [
        {
          id: "skill:x",
          kind: "skill",
          source: "/home/ada/notes",
          sourcePath: "/home/ada/notes/x/SKILL.md",
          contentHash: Uint8Array.of(0xff),
          sizeBytes: 12n,
          status: "ok",
          error: "",
          name: "x",
          description: "does x",
        },
      ],
    };
  }

  async resync() {
    if (this.failure !== undefined) throw this.failure;
    this.version++;
    return this.snapshot();
  }
}

describe("the context RPCs of the agent socket (C5.19)", () => {
  it("say so when there is no context", async () => {
    const { socket, calls } = await socketAndClient();
    const text = "context manager not available";
    expect(await refusal(calls.contextSources({}))).toBe(text);
    expect(await refusal(calls.getContextSource({ path: "/a" }))).toBe(text);
    expect(await refusal(calls.addContextSource({ path: "/a" }))).toBe(text);
    expect(await refusal(calls.removeContextSource({ path: "/a" }))).toBe(text);
    expect(await refusal(calls.getContextSnapshot({}))).toBe(text);
    expect(await refusal(calls.resyncContext({}))).toBe(text);
    socket.setContext(new MemoryContext());
    expect((await calls.contextSources({})).sources).toMatchObject([{ path: "/home/ada/notes" }]);
  });

  it("find, add and remove sources by their canonical path", async () => {
    const { calls } = await socketAndClient({ context: new MemoryContext() });
    expect((await calls.getContextSource({ path: "~/notes" })).source?.path).toBe("/home/ada/notes");
    expect((await calls.addContextSource({ path: "~/more" })).source?.path).toBe("/home/ada/more");
    expect((await calls.contextSources({})).sources).toHaveLength(2);
    await calls.removeContextSource({ path: "~/more" });
    expect(await refusal(calls.removeContextSource({ path: "~/more" }))).toBe(
      '"~/more": context source not found',
    );
    expect(await refusal(calls.getContextSource({ path: "~/more" }))).toBe(
      '"~/more": context source not found',
    );
  });

  it("give the snapshot with hashes in hex, as it is or after a walk", async () => {
    const { calls } = await socketAndClient({ context: new MemoryContext() });
    const wanted = {
      version: 1n,
      aggregateHash: "ab01",
      payloadBytes: 12n,
      snapshotError: "too many",
      resources: [
        {
          id: "skill:x",
          kind: "skill",
          source: "/home/ada/notes",
          sourcePath: "/home/ada/notes/x/SKILL.md",
          contentHash: "ff",
          sizeBytes: 12n,
          status: "ok",
          error: "",
          name: "x",
          description: "does x",
        },
      ],
    };
    expect((await calls.getContextSnapshot({})).snapshot).toMatchObject(wanted);
    expect((await calls.resyncContext({})).snapshot).toMatchObject({ ...wanted, version: 2n });
  });

  it("say why it did not work", async () => {
    const context = new MemoryContext();
    context.failure = new Error("no such directory");
    const { calls } = await socketAndClient({ context });
    expect(await refusal(calls.addContextSource({ path: "/x" }))).toBe(
      "add context source: no such directory",
    );
    expect(await refusal(calls.removeContextSource({ path: "/x" }))).toBe(
      "remove context source: no such directory",
    );
    expect(await refusal(calls.resyncContext({}))).toBe("resync context: no such directory");
  });
});
