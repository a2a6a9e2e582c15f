import type { AgentConnection } from "../../../src/client/index-node.js";
import type { AppHealth } from "../../../src/gen/coder/agent/v2/agent_pb.js";
import { collect } from "../../support/echo.js";
import type { Facts } from "../../support/go-peer.js";

/** 16 bytes. */
export const id = Buffer.from("11111111222243338444555555555555", "hex");
export const idB64 = id.toString("base64");
const atJson = "2026-09-01T08:20:30.123456Z";
const at = { seconds: BigInt(Date.parse("2026-09-01T08:20:30Z") / 1000), nanos: 123_456_000 };
/** A number that a double cannot hold. */
const big = 2n ** 53n + 1n;
const bigJson = "9007199254740993";

/** A unary call: what is asked, what arrives, what is answered, and what of it we see. */
export interface CallCase {
  method: string;
  call(connection: AgentConnection): Promise<unknown>;
  received: Facts;
  reply?: Facts;
  answer: Facts;
}

/** Every RPC of the agent service. */
export const agentCases: CallCase[] = [
  {
    method: "GetManifest",
    call: ({ agent }) => agent.getManifest({}),
    received: {},
    reply: {
      agentId: idB64,
      agentName: "main",
      environmentVariables: { A: "ä", B: "" },
      derpMap: {
        regions: { "9007199254740993": { regionCode: "eu", nodes: [{ name: "1a", stunPort: -1 }] } },
      },
      scripts: [{ id: idB64, script: "x".repeat(512_000), timeout: "1.5s" }],
      apps: [{ slug: "web", sharingLevel: "ORGANIZATION", healthcheck: { interval: "5s" } }],
      metadata: [{ key: "cpu", interval: "0.000000010s" }],
      devcontainers: [{ name: "box", subagentId: idB64 }],
      secrets: [{ envName: "S", value: "AP8=" }],
      parentId: idB64,
    },
    answer: {
      agentName: "main",
      environmentVariables: { A: "ä", B: "" },
      derpMap: { regions: { "9007199254740993": { regionCode: "eu", nodes: [{ stunPort: -1 }] } } },
      scripts: [{ script: "x".repeat(512_000), timeout: { seconds: 1n, nanos: 500_000_000 } }],
      apps: [{ slug: "web", sharingLevel: 4 }],
      metadata: [{ key: "cpu", interval: { nanos: 10 } }],
    },
  },
  {
    method: "GetServiceBanner",
    call: ({ agent }) => agent.getServiceBanner({}),
    received: {},
    reply: { enabled: true, message: "m", backgroundColor: "#fff" },
    answer: { enabled: true, message: "m", backgroundColor: "#fff" },
  },
  {
    method: "GetAnnouncementBanners",
    call: ({ agent }) => agent.getAnnouncementBanners({}),
    received: {},
    reply: { announcementBanners: [{ message: "1" }, { enabled: true }] },
    answer: { announcementBanners: [{ message: "1", enabled: false }, { enabled: true }] },
  },
  {
    method: "UpdateStats",
    call: ({ agent }) =>
      agent.updateStats({
        stats: {
          connectionCount: big,
          connectionsByProto: { ssh: 1n },
          metrics: [{ name: "m", value: 0.5 }],
        },
      }),
    received: {
      stats: {
        connectionCount: bigJson,
        connectionsByProto: { ssh: "1" },
        metrics: [{ name: "m", value: 0.5 }],
      },
    },
    reply: { reportInterval: "30s" },
    answer: { reportInterval: { seconds: 30n } },
  },
  {
    method: "UpdateLifecycle",
    call: ({ agent }) => agent.updateLifecycle({ lifecycle: { state: 5, changedAt: at } }),
    received: { lifecycle: { state: "READY", changedAt: atJson } },
    answer: { state: 5, changedAt: at },
  },
  {
    method: "BatchUpdateAppHealths",
    call: ({ agent }) =>
      agent.batchUpdateAppHealths({ updates: [{ id, health: 3 }, { health: 99 as AppHealth }] }),
    received: { updates: [{ id: idB64, health: "HEALTHY" }, { health: 99 }] },
    answer: {},
  },
  {
    method: "UpdateStartup",
    call: ({ agent }) =>
      agent.updateStartup({ startup: { version: "v2", expandedDirectory: "/w", subsystems: [1, 3] } }),
    received: { startup: { version: "v2", expandedDirectory: "/w", subsystems: ["ENVBOX", "EXECTRACE"] } },
    answer: { version: "v2", expandedDirectory: "/w", subsystems: [1, 3] },
  },
  {
    method: "BatchUpdateMetadata",
    call: ({ agent }) =>
      agent.batchUpdateMetadata({
        metadata: [{ key: "cpu", result: { value: "1 %", collectedAt: at, age: big, error: "e" } }],
      }),
    received: {
      metadata: [{ key: "cpu", result: { value: "1 %", collectedAt: atJson, age: bigJson, error: "e" } }],
    },
    answer: {},
  },
  {
    method: "BatchCreateLogs",
    call: ({ agent }) =>
      agent.batchCreateLogs({
        logSourceId: id,
        logs: [{ createdAt: at, output: "a\u0000\u{1f680}", level: 5 }],
      }),
    received: {
      logSourceId: idB64,
      logs: [{ createdAt: atJson, output: "a\u0000\u{1f680}", level: "ERROR" }],
    },
    reply: { logLimitExceeded: true },
    answer: { logLimitExceeded: true },
  },
  {
    method: "ScriptCompleted",
    call: ({ agent }) =>
      agent.scriptCompleted({
        timing: { scriptId: id, start: at, end: at, exitCode: -1, stage: 1, status: 2 },
      }),
    received: {
      timing: {
        scriptId: idB64,
        start: atJson,
        end: atJson,
        exitCode: -1,
        stage: "STOP",
        status: "TIMED_OUT",
      },
    },
    answer: {},
  },
  {
    method: "GetResourcesMonitoringConfiguration",
    call: ({ agent }) => agent.getResourcesMonitoringConfiguration({}),
    received: {},
    reply: {
      config: { numDatapoints: 20, collectionIntervalSeconds: 10 },
      memory: {},
      volumes: [{ path: "/" }],
    },
    answer: { config: { numDatapoints: 20 }, memory: { enabled: false }, volumes: [{ path: "/" }] },
  },
  {
    method: "PushResourcesMonitoringUsage",
    call: ({ agent }) =>
      agent.pushResourcesMonitoringUsage({
        datapoints: [
          { collectedAt: at, memory: { used: -1n, total: big }, volumes: [{ volume: "/", used: 1n }] },
        ],
      }),
    received: {
      datapoints: [
        {
          collectedAt: atJson,
          memory: { used: "-1", total: bigJson },
          volumes: [{ volume: "/", used: "1" }],
        },
      ],
    },
    answer: {},
  },
  {
    method: "ReportConnection",
    call: ({ agent }) =>
      agent.reportConnection({
        connection: { id, action: 2, type: 1, timestamp: at, ip: "::1", reason: "" },
      }),
    received: {
      connection: { id: idB64, action: "DISCONNECT", type: "SSH", timestamp: atJson, ip: "::1", reason: "" },
    },
    answer: {},
  },
  {
    method: "CreateSubAgent",
    call: ({ agent }) =>
      agent.createSubAgent({
        name: "child",
        displayApps: [0, 4],
        apps: [{ slug: "s", share: 0, openIn: 1 }],
        id,
      }),
    received: {
      name: "child",
      displayApps: ["VSCODE", "PORT_FORWARDING_HELPER"],
      apps: [{ slug: "s", share: "OWNER", openIn: "TAB" }],
      id: idB64,
    },
    reply: { agent: { name: "child", id: idB64 }, appCreationErrors: [{ index: 1, error: "e" }] },
    answer: { agent: { name: "child" }, appCreationErrors: [{ index: 1, error: "e" }] },
  },
  {
    method: "DeleteSubAgent",
    call: ({ agent }) => agent.deleteSubAgent({ id }),
    received: { id: idB64 },
    answer: {},
  },
  {
    method: "ListSubAgents",
    call: ({ agent }) => agent.listSubAgents({}),
    received: {},
    reply: { agents: [{ name: "a" }, { name: "b" }] },
    answer: { agents: [{ name: "a" }, { name: "b" }] },
  },
  {
    method: "ReportBoundaryLogs",
    call: ({ agent }) =>
      agent.reportBoundaryLogs({
        sessionId: "s",
        logs: [
          { allowed: true, sequenceNumber: 2, resource: { case: "httpRequest", value: { method: "GET" } } },
          {},
        ],
      }),
    received: {
      sessionId: "s",
      logs: [{ allowed: true, sequenceNumber: 2, httpRequest: { method: "GET" } }, {}],
    },
    answer: {},
  },
  {
    method: "UpdateAppStatus",
    call: ({ agent }) => agent.updateAppStatus({ slug: "web", state: 3, message: "m", uri: "u" }),
    received: { slug: "web", state: "FAILURE", message: "m", uri: "u" },
    answer: {},
  },
  {
    method: "PushContextState",
    call: ({ agent }) =>
      agent.pushContextState({
        version: 2n ** 64n - 1n,
        initial: true,
        resources: [
          {
            source: "s",
            status: 1,
            body: {
              case: "mcpServer",
              value: {
                serverName: "m",
                tools: [{ name: "t", inputSchema: { type: "object", n: [1, null] } }],
              },
            },
          },
        ],
      }),
    received: {
      version: "18446744073709551615",
      initial: true,
      resources: [
        {
          source: "s",
          status: "OK",
          mcpServer: {
            serverName: "m",
            tools: [{ name: "t", inputSchema: { type: "object", n: [1, null] } }],
          },
        },
      ],
    },
    reply: { accepted: true },
    answer: { accepted: true },
  },
];

/** Every RPC of the tailnet service but Coordinate. */
export const tailnetCases: CallCase[] = [
  {
    method: "PostTelemetry",
    call: ({ tailnet }) =>
      tailnet.postTelemetry({
        events: [
          {
            id,
            nodeIdSelf: 2n ** 64n - 1n,
            latestNetcheck: { UDP: true, OSHasIPv6: false },
            throughputMbits: 0.5,
          },
        ],
      }),
    received: {
      events: [
        {
          id: idB64,
          nodeIdSelf: "18446744073709551615",
          latestNetcheck: { UDP: true, OSHasIPv6: false },
          throughputMbits: 0.5,
        },
      ],
    },
    answer: {},
  },
  {
    method: "RefreshResumeToken",
    call: ({ tailnet }) => tailnet.refreshResumeToken({}),
    received: {},
    reply: { token: "t", refreshIn: "1800s", expiresAt: atJson },
    answer: { token: "t", refreshIn: { seconds: 1800n }, expiresAt: at },
  },
  {
    method: "StreamDERPMaps",
    call: ({ tailnet }) => collect(tailnet.streamDERPMaps({})),
    received: {},
    answer: [
      { homeParams: { regionScore: { 1: 0.5 } } },
      { regions: { 1: { regionName: "r" } } },
    ] as unknown as Facts,
  },
  {
    method: "WorkspaceUpdates",
    call: ({ tailnet }) => collect(tailnet.workspaceUpdates({ workspaceOwnerId: id })),
    received: { workspaceOwnerId: idB64 },
    answer: [{ upsertedWorkspaces: [{ name: "w", status: 3 }] }] as unknown as Facts,
  },
];

/** What the streams of answers have. */
export const streamed: Record<string, Facts[]> = {
  StreamDERPMaps: [{ homeParams: { regionScore: { 1: 0.5 } } }, { regions: { 1: { regionName: "r" } } }],
  WorkspaceUpdates: [{ upsertedWorkspaces: [{ name: "w", status: "RUNNING" }] }],
};
