import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { DERPMapSchema } from "../../../src/gen/coder/tailnet/v2/derp_map_pb.js";
import type { ApiUser } from "../../../src/server/index.js";
import { blankAgent } from "../../../src/store/index.js";
import { dialled, eventually } from "../../support/control-plane.js";
import { adminToken, httpApi, strangerToken } from "../../support/http-api.js";

const unknownId = "00000000-0000-4000-8000-000000000001";
const noAgent = "Agent doesn't exist with that id, or you do not have access to it.";
const belowAgent = ["", "/logs", "/connection", "/watch-metadata", "/script-timings", "/app-statuses"];

describe("S5.42 who may read an agent", () => {
  it.each(belowAgent)("%s: a UUID, of an agent, that the user may read", async (below) => {
    const { get, agentId } = await httpApi();
    const unauthorized = await get(`workspaceagents/${agentId}${below}`, "nobody");
    expect(unauthorized.status).toBe(401);
    const bad = await get(`workspaceagents/no-uuid${below}`);
    expect([bad.status, bad.json]).toEqual([
      400,
      { message: 'Invalid UUID "no-uuid".', detail: "invalid UUID length: 7" },
    ]);
    const unknown = await get(`workspaceagents/${unknownId}${below}`);
    expect([unknown.status, unknown.json]).toEqual([404, { message: noAgent }]);
    const unreadable = await get(`workspaceagents/${agentId}${below}`, strangerToken);
    expect([unreadable.status, unreadable.json]).toEqual([404, { message: noAgent }]);
  });

  it("is said for each agent, with its workspace", async () => {
    const asked: string[] = [];
    const user: ApiUser = {
      id: "ada",
      mayRead: async (workspace, agent) => {
        asked.push(`${workspace.name} ${agent?.name}`);
        return agent?.name !== "hidden";
      },
    };
    const agents = [{ name: "main" }, { name: "hidden" }];
    const workspaces = [{ owner: "ada", name: "dev", agents }];
    const { plane, get, workspaceId } = await httpApi({}, { workspaces, authenticateUser: () => user });
    const [main, hidden] = plane.agents;
    expect((await get(`workspaceagents/${main?.id}`)).status).toBe(200);
    expect((await get(`workspaceagents/${hidden?.id}`)).status).toBe(404);
    expect((await get(`workspaces/${workspaceId}/latest-app-status`)).status).toBe(200);
    expect(asked).toEqual(["dev main", "dev hidden", "dev undefined"]);
  });

  it("knows ids in all their spellings, and no deleted agents", async () => {
    const { get, plane, agentId } = await httpApi();
    expect((await get(`workspaceagents/${agentId.toUpperCase()}`)).status).toBe(200);
    expect((await get(`workspaceagents/${agentId.replaceAll("-", "")}`)).status).toBe(200);
    expect((await get(`workspaceagents/%7B${agentId}%7D`)).status).toBe(200);
    await plane.store.deleteAgent(agentId);
    expect((await get(`workspaceagents/${agentId}`)).status).toBe(404);
  });
});

describe("S5.43 GET /workspaceagents/{id}", () => {
  const definition = {
    directory: "/home/ada",
    environment: { FOO: "bar" },
    architecture: "amd64",
    operatingSystem: "linux",
    connectionTimeoutSeconds: 120,
    scripts: [{ displayName: "Start", script: "echo", runOnStart: true, timeoutSeconds: 60 }],
    apps: [
      { slug: "8080", url: "http://localhost:8080", subdomain: true },
      {
        slug: "web",
        subdomain: true,
        healthcheck: { url: "http://x", intervalSeconds: 5, threshold: 3 },
        sharingLevel: "organization" as const,
      },
    ],
  };
  const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);

  it("has all that was declared, and what was not is left out or empty", async () => {
    const { get, agentId, plane } = await httpApi(definition, { troubleshootingUrl: "https://help" });
    const { json } = await get(`workspaceagents/${agentId}`);
    const { scripts } = await plane.store.manifestRecords(agentId);
    const [script] = scripts;
    expect(json).toEqual({
      id: agentId,
      parent_id: null,
      created_at: time,
      updated_at: time,
      status: "connecting",
      lifecycle_state: "created",
      name: "main",
      resource_id: "00000000-0000-0000-0000-000000000000",
      architecture: "amd64",
      environment_variables: { FOO: "bar" },
      operating_system: "linux",
      logs_length: 0,
      logs_overflowed: false,
      directory: "/home/ada",
      version: "",
      api_version: "",
      apps: [
        expect.objectContaining({
          slug: "8080",
          url: "http://localhost:8080",
          subdomain_name: "8080--main--dev--ada",
          health: "disabled",
          healthcheck: { url: "", interval: 0, threshold: 0 },
          statuses: [],
        }),
        expect.objectContaining({
          slug: "web",
          subdomain_name: "web--dev--ada",
          sharing_level: "organization",
          health: "initializing",
          healthcheck: { url: "http://x", interval: 5, threshold: 3 },
          open_in: "slim_window",
        }),
      ],
      connection_timeout_seconds: 120,
      troubleshooting_url: "https://help",
      subsystems: [],
      health: { healthy: false, reason: "agent has not yet connected" },
      display_apps: ["vscode", "web_terminal", "ssh_helper", "port_forwarding_helper"],
      log_sources: [
        {
          workspace_agent_id: agentId,
          id: script?.logSourceId,
          created_at: time,
          display_name: "Start",
          icon: "",
        },
      ],
      scripts: [
        {
          id: script?.id,
          log_source_id: script?.logSourceId,
          log_path: "",
          script: "echo",
          cron: "",
          run_on_start: true,
          run_on_stop: false,
          start_blocks_login: false,
          timeout: 60,
          display_name: "Start",
        },
      ],
      startup_script_behavior: "non-blocking",
    });
  });

  it("follows the agent's connection and life", async () => {
    const { get, agentId, plane, me } = await httpApi({ apps: [{ slug: "ai" }] });
    const read = async () => (await get(`workspaceagents/${agentId}`)).json as Record<string, unknown>;
    const connection = await dialled(plane);
    await eventually(async () => (await read())["status"] === "connected", "the connection");
    await connection.agent.updateLifecycle({ lifecycle: { state: 2 } });
    await connection.agent.updateStartup({ startup: { version: "v1.2.3", expandedDirectory: "/x" } });
    await me("PATCH", "app-status", { app_slug: "ai", state: "idle", message: "done" });
    expect(await read()).toMatchObject({
      status: "connected",
      lifecycle_state: "starting",
      first_connected_at: time,
      last_connected_at: time,
      // an omitted time is 1970: S3.36
      started_at: "1970-01-01T00:00:00.000000Z",
      version: "v1.2.3",
      expanded_directory: "/x",
      api_version: "2.10",
      health: { healthy: true },
      apps: [{ statuses: [{ state: "idle", message: "done", uri: "" }] }],
    });
    await connection.close();
    await eventually(async () => (await read())["status"] === "disconnected", "the end");
    expect(await read()).toMatchObject({
      disconnected_at: time,
      health: { healthy: false, reason: "agent has lost connection" },
    });
  });

  it("shows sub-agents with their parent, and blocking scripts", async () => {
    const { get, agentId, plane } = await httpApi({
      scripts: [{ displayName: "s", script: "", startBlocksLogin: true }],
    });
    const parent = await plane.store.agent(agentId);
    const child = { ...blankAgent(), ...parent, id: unknownId, name: "child", parentId: agentId };
    await plane.store.insertSubAgent({ ...child, authToken: crypto.randomUUID(), troubleshootingUrl: "own" });
    expect((await get(`workspaceagents/${unknownId}`)).json).toMatchObject({
      parent_id: agentId,
      troubleshooting_url: "own",
      startup_script_behavior: "non-blocking",
    });
    expect((await get(`workspaceagents/${agentId}`)).json).toMatchObject({
      startup_script_behavior: "blocking",
    });
  });

  it("shows times that cannot be written as the nearest that can", async () => {
    const { get, agentId, plane } = await httpApi();
    await plane.store.updateLifecycle(agentId, {
      state: "ready",
      startedAtUs: -1e20,
      readyAtUs: 1e20,
    });
    expect((await get(`workspaceagents/${agentId}`)).json).toMatchObject({
      started_at: "0001-01-01T00:00:00.000000Z",
      ready_at: "9999-12-31T23:59:59.000000Z",
    });
  });
});

describe("what pages ask besides", () => {
  it("runs of scripts, oldest first", async () => {
    const { get, agentId, plane } = await httpApi({ scripts: [{ displayName: "Start", script: "" }] });
    const { scripts } = await plane.store.manifestRecords(agentId);
    const scriptId = scripts[0]?.id ?? "";
    const timing = { scriptId, exitCode: 1, stage: "start", status: "exit_failure" } as const;
    await plane.store.insertScriptTiming({ ...timing, startedAtUs: 2_000_000, endedAtUs: 3_500_000 });
    await plane.store.insertScriptTiming({ ...timing, startedAtUs: 1_000_000, endedAtUs: 2_000_000 });
    const { json } = await get(`workspaceagents/${agentId}/script-timings`);
    expect(json).toEqual([
      expect.objectContaining({ started_at: "1970-01-01T00:00:01.000000Z" }),
      {
        script_id: scriptId,
        display_name: "Start",
        started_at: "1970-01-01T00:00:02.000000Z",
        ended_at: "1970-01-01T00:00:03.500000Z",
        exit_code: 1,
        stage: "start",
        status: "exit_failure",
      },
    ]);
  });

  it("statuses of apps, newest first, and the latest of a workspace", async () => {
    const { get, me, agentId, workspaceId } = await httpApi({ apps: [{ slug: "ai" }] });
    const latest = `workspaces/${workspaceId}/latest-app-status`;
    expect((await get(latest)).text).toBe("null\n");
    for (const message of ["one", "two", "three"]) {
      await me("PATCH", "app-status", { app_slug: "ai", state: "working", message });
    }
    const messages = async (query: string) => {
      const { json } = await get(`workspaceagents/${agentId}/app-statuses${query}`);
      return (json as { message: string }[]).map(({ message }) => message);
    };
    expect(await messages("")).toEqual(["three", "two", "one"]);
    expect(await messages("?limit=2")).toEqual(["three", "two"]);
    expect((await get(latest)).json).toMatchObject({
      message: "three",
      state: "working",
      agent_id: agentId,
      workspace_id: workspaceId,
    });
    expect((await get(latest, strangerToken)).status).toBe(404);
    expect((await get("workspaces/nope/latest-app-status")).status).toBe(400);
    expect((await get(`workspaces/${unknownId}/latest-app-status`)).status).toBe(404);
  });

  it.each(["0", "1001", "-1", "x", "1.5"])("no limit of %s", async (limit) => {
    const { get, agentId } = await httpApi();
    const { status, json } = await get(`workspaceagents/${agentId}/app-statuses?limit=${limit}`);
    expect([status, json]).toEqual([
      400,
      {
        message: "Invalid query parameters.",
        validations: [
          { field: "limit", detail: 'Query param "limit" must be a whole number from 1 to 1000' },
        ],
      },
    ]);
  });
});

describe("S5.51 how to connect", () => {
  const derpMap = create(DERPMapSchema, {
    homeParams: { regionScore: { "1": 0.5 } },
    regions: {
      "1": {
        regionId: 1n,
        embeddedRelay: true,
        regionCode: "here",
        regionName: "Here",
        nodes: [{ name: "1a", regionId: 1n, hostName: "derp.example.com", derpPort: 443, ipv4: "1.2.3.4" }],
      },
    },
  });

  it("is said for an agent, and for all", async () => {
    const network = { forceWebSockets: true, hostnameSuffix: "coder" };
    const { get, agentId, plane } = await httpApi({}, { derpMap: () => derpMap, network });
    // the relay that is built in is where the server was reached
    const relay = { HostName: "127.0.0.1", DERPPort: Number(new URL(plane.url).port), ForceHTTP: true };
    const expected = {
      derp_map: {
        HomeParams: { RegionScore: { "1": 0.5 } },
        Regions: {
          "1": {
            EmbeddedRelay: true,
            RegionID: 1,
            RegionCode: "here",
            RegionName: "Here",
            Nodes: [{ Name: "1a", RegionID: 1, IPv4: "1.2.3.4", ...relay }],
          },
        },
      },
      derp_force_websockets: true,
      disable_direct_connections: false,
      hostname_suffix: "coder",
    };
    expect((await get(`workspaceagents/${agentId}/connection`)).json).toEqual(expected);
    expect((await get("workspaceagents/connection", adminToken)).json).toEqual(expected);
    expect((await get("workspaceagents/connection", "nobody")).status).toBe(401);
  });

  it("leaves out what there is not", async () => {
    const { get } = await httpApi();
    expect((await get("workspaceagents/connection")).json).toEqual({
      derp_map: { HomeParams: { RegionScore: {} }, Regions: {} },
      derp_force_websockets: false,
      disable_direct_connections: false,
    });
  });
});
