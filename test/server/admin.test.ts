import { type Client, Code, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { AdminService } from "../../src/gen/agentwire/admin/v1/admin_pb.js";
import { startControlPlane } from "../../src/server/index.js";
import { prebuildsOwnerId } from "../../src/store/index.js";
import { controlPlane, dialled, eventually, token } from "../support/control-plane.js";
import { failure } from "../support/echo.js";

const adminToken = "an admin token of the test";

function adminOf(url: string, bearer = adminToken): Client<typeof AdminService> {
  const transport = createConnectTransport({
    baseUrl: url,
    httpVersion: "1.1",
    interceptors: [
      (next) => (request) => {
        request.header.set("Authorization", `Bearer ${bearer}`);
        return next(request);
      },
    ],
  });
  return createClient(AdminService, transport);
}

async function setup() {
  const plane = await controlPlane({}, { adminToken });
  const admin = adminOf(plane.url);
  const list = async () => (await admin.listWorkspaces({})).workspaces;
  return { plane, admin, list, workspaceId: (await list())[0]?.id ?? "" };
}

describe("the admin API", () => {
  it("is for those with its token, and there only where there is one", async () => {
    const { plane } = await setup();
    for (const wrong of ["", "something else of that length", token]) {
      const error = await failure(adminOf(plane.url, wrong).listWorkspaces({}));
      expect(error.code).toBe(Code.Unauthenticated);
    }
    const without = await controlPlane();
    expect((await failure(adminOf(without.url).listWorkspaces({}))).code).toBe(Code.Unimplemented);
    await expect(startControlPlane({ adminToken: "short" })).rejects.toThrow(RangeError);
  });

  it("lists workspaces, builds and agents with their state, and no token", async () => {
    const { plane, list } = await setup();
    await (await dialled(plane)).agent.getManifest({});
    const [workspace, ...more] = await list();
    expect(more).toEqual([]);
    expect(workspace).toMatchObject({
      owner: "ada",
      name: "dev",
      isPrebuilt: false,
      latestBuild: { number: 1, transition: "start", jobStatus: "succeeded" },
      agents: [{ name: "main", parentId: "", lifecycleState: "created" }],
    });
    expect(workspace?.agents[0]?.firstConnectedAt).toBeDefined();
    expect(workspace?.agents[0]?.disconnectedAt).toBeUndefined();
    expect(
      JSON.stringify(workspace, (_key, value) => (typeof value === "bigint" ? `${value}` : value)),
    ).not.toContain(token);
  });

  it("speaks gRPC on the same port", async () => {
    const { plane } = await setup();
    const transport = createGrpcTransport({
      baseUrl: plane.url,
      interceptors: [
        (next) => (request) => {
          request.header.set("Authorization", `Bearer ${adminToken}`);
          return next(request);
        },
      ],
    });
    expect((await createClient(AdminService, transport).listWorkspaces({})).workspaces).toHaveLength(1);
  });

  it("declares a workspace with everything; its agent may connect at once, and has it all", async () => {
    const { plane, admin } = await setup();
    const definition = {
      owner: "bob",
      name: "lab",
      task: { name: "write", agent: "a1", app: "ai" },
      agents: [
        {
          name: "a1",
          directory: "/home/bob",
          environment: { A: "1" },
          scripts: [{ displayName: "Start", script: "true", runOnStart: true, timeoutSeconds: 9 }],
          apps: [
            { slug: "ai", healthcheck: { url: "http://x", intervalSeconds: 5, threshold: 2 } },
            { slug: "web" },
          ],
          metadata: [{ key: "cpu", script: "uptime", intervalSeconds: 10 }],
          devcontainers: [{ name: "dc", workspaceFolder: "/w" }],
          memoryMonitor: { thresholdPercent: 80 },
          volumeMonitors: [{ path: "/", thresholdPercent: 90, isDisabled: true }],
          logSources: [{ displayName: "Build" }],
        },
      ],
    };
    const { agents } = await admin.defineWorkspaces({ workspaces: [definition] });
    expect(agents).toMatchObject([{ owner: "bob", workspace: "lab", agent: "a1" }]);
    const connection = await dialled(plane, { token: agents[0]?.token ?? "" });
    const manifest = await connection.agent.getManifest({});
    expect(manifest).toMatchObject({
      ownerUsername: "bob",
      directory: "/home/bob",
      environmentVariables: { A: "1" },
    });
    expect(manifest.scripts).toMatchObject([{ displayName: "Start", runOnStart: true }]);
    expect(manifest.apps.map(({ slug, displayName }) => [slug, displayName])).toEqual([
      ["ai", "ai"],
      ["web", "web"],
    ]);
    expect(manifest.metadata).toMatchObject([{ key: "cpu", displayName: "cpu" }]);
    const monitoring = await connection.agent.getResourcesMonitoringConfiguration({});
    expect(monitoring).toMatchObject({ memory: { enabled: true }, volumes: [{ path: "/", enabled: false }] });

    const again = await admin.defineWorkspaces({ workspaces: [definition] });
    expect(again).toEqual({ ...again, agents });
  });

  it.each([
    ["an owner", { name: "x" }, "workspaces[0].owner: must not be empty"],
    ["a name", { owner: "x" }, "workspaces[0].name: must not be empty"],
    ["an agent's name", { owner: "x", name: "y", agents: [{ name: "-" }] }, "workspaces[0].agents[0].name"],
    [
      "a token",
      { owner: "x", name: "y", agents: [{ name: "a", token: "secret" }] },
      "workspaces[0].agents[0].token: must be a UUID",
    ],
    [
      "a slug",
      { owner: "x", name: "y", agents: [{ name: "a", apps: [{ slug: "A" }] }] },
      "workspaces[0].agents[0].apps[0].slug",
    ],
    [
      "a sharing level",
      { owner: "x", name: "y", agents: [{ name: "a", apps: [{ slug: "a", sharingLevel: "all" }] }] },
      "apps[0].sharing_level: must be one of owner, authenticated, public, organization",
    ],
    [
      "a threshold",
      { owner: "x", name: "y", agents: [{ name: "a", memoryMonitor: { thresholdPercent: 101 } }] },
      "memory_monitor.threshold_percent: must be 0 to 100",
    ],
    [
      "a time",
      { owner: "x", name: "y", agents: [{ name: "a", metadata: [{ key: "k", intervalSeconds: -1 }] }] },
      "metadata[0].interval_seconds: must not be negative",
    ],
  ])(
    "refuses a definition without %s that is right, and changes nothing",
    async (_what, definition, said) => {
      const { admin, list } = await setup();
      const error = await failure(admin.defineWorkspaces({ workspaces: [definition] }));
      expect(error.code).toBe(Code.InvalidArgument);
      expect(error.rawMessage).toContain(said);
      expect(error.rawMessage).not.toContain("secret");
      expect(await list()).toHaveLength(1);
    },
  );

  it("refuses twins with the text of the store", async () => {
    const { admin } = await setup();
    const workspace = { owner: "x", name: "y" };
    const error = await failure(admin.defineWorkspaces({ workspaces: [workspace, workspace] }));
    expect(error.code).toBe(Code.FailedPrecondition);
    expect(error.rawMessage).toBe('two workspaces "x/y"');
  });

  it("deletes a workspace: its agents are nobody any more", async () => {
    const { plane, admin, list, workspaceId } = await setup();
    await admin.deleteWorkspace({ workspaceId });
    expect(await list()).toEqual([]);
    expect((await failure(dialled(plane))).code).toBe(Code.Unauthenticated);
    const error = await failure(admin.deleteWorkspace({ workspaceId }));
    expect([error.code, error.rawMessage]).toEqual([Code.NotFound, `there is no workspace ${workspaceId}`]);
    expect((await failure(admin.deleteWorkspace({ workspaceId: "x" }))).code).toBe(Code.InvalidArgument);
  });

  it("makes a build: agents are disconnected at their next check, and connect to the new one", async () => {
    const plane = await controlPlane({}, { adminToken, monitor: { updateIntervalMs: 20 } });
    const admin = adminOf(plane.url);
    const connection = await dialled(plane);
    const [before] = (await admin.listWorkspaces({})).workspaces;
    const { build } = await admin.createBuild({ workspaceId: before?.id ?? "" });
    expect(build).toMatchObject({ number: 2, transition: "start" });
    expect(await connection.closed).toMatchObject({ closeCode: 1001 });
    const again = await dialled(plane);
    await again.agent.getManifest({});
    const [after] = (await admin.listWorkspaces({})).workspaces;
    expect(after?.agents).toMatchObject([{ name: "main" }]);
    expect(after?.agents[0]?.id).not.toBe(before?.agents[0]?.id);
    expect((await failure(admin.createBuild({ workspaceId: before?.id ?? "", transition: "x" }))).code).toBe(
      Code.InvalidArgument,
    );
  });

  it("claims a prebuilt workspace, once", async () => {
    const { plane, admin, list } = await setup();
    const { agents } = await admin.defineWorkspaces({
      workspaces: [{ isPrebuilt: true, name: "pool-1", agents: [{ name: "main" }] }],
    });
    const prebuilt = (await list()).find(({ isPrebuilt }) => isPrebuilt);
    expect(prebuilt?.name).toBe("pool-1");
    const claims: unknown[] = [];
    await plane.events.subscribe(
      { of: "claim", workspaceId: prebuilt?.id ?? "" },
      { onEvent: (event) => void claims.push(event) },
    );
    const losses: unknown[] = [];
    await plane.events.subscribe(
      { of: "owner", ownerId: prebuildsOwnerId },
      { onEvent: (event) => void losses.push(event) },
    );
    const claim = { workspaceId: prebuilt?.id ?? "", owner: "carol", name: "mine" };
    expect((await admin.claimWorkspace(claim)).build).toMatchObject({ number: 2, transition: "start" });
    expect(claims).toMatchObject([{ topic: "claim", reason: "prebuild_claimed" }]);
    expect(losses).toMatchObject([{ kind: "state_change", workspaceId: prebuilt?.id }]);
    expect((await list()).find(({ id }) => id === prebuilt?.id)).toMatchObject({
      owner: "carol",
      name: "mine",
      isPrebuilt: false,
    });
    const connection = await dialled(plane, { token: agents[0]?.token ?? "" });
    expect((await connection.agent.getManifest({})).ownerUsername).toBe("carol");
    expect((await failure(admin.claimWorkspace(claim))).rawMessage).toBe(
      "the workspace belongs to somebody already",
    );
  });

  it("sets and removes secrets, and never shows them", async () => {
    const { plane, admin } = await setup();
    const { agent } = await dialled(plane);
    await admin.setSecret({ owner: "ada", name: "key", envName: "KEY", value: Buffer.from("v") });
    expect((await agent.getManifest({})).secrets).toMatchObject([{ envName: "KEY" }]);
    await admin.setSecret({ owner: "ada", name: "key", remove: true });
    expect((await agent.getManifest({})).secrets).toEqual([]);
    expect((await failure(admin.setSecret({ owner: "nobody", name: "key" }))).code).toBe(
      Code.FailedPrecondition,
    );
  });

  it("streams events as long as somebody watches", async () => {
    const { plane, admin, workspaceId } = await setup();
    const kinds: string[] = [];
    const abort = new AbortController();
    const watching = (async () => {
      for await (const { kind } of admin.watchEvents({}, { signal: abort.signal })) kinds.push(kind);
    })();
    await eventually(async () => {
      plane.events.publish({ topic: "workspace", kind: "state_change", ownerId: workspaceId, workspaceId });
      return kinds.length > 0;
    }, "the watch has begun");
    kinds.length = 0;
    const { agent } = await dialled(plane);
    await agent.updateLifecycle({ lifecycle: { state: 5 } });
    await eventually(() => kinds.includes("agt_connection_update") && kinds.includes("agt_lifecycle_update"));
    abort.abort();
    expect((await failure(watching)).code).toBe(Code.Canceled);
  });
});
