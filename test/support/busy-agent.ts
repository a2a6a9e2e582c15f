import { randomUUID } from "node:crypto";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { AgentConnection } from "../../src/client/index-node.js";
import { parseUuid } from "../../src/codec/index.js";
import {
  Connection_Action,
  Connection_Type,
  Lifecycle_State,
  Log_Level,
  Timing_Stage,
  Timing_Status,
  UpdateAppStatusRequest_AppStatusState,
} from "../../src/gen/coder/agent/v2/agent_pb.js";
import type { AgentDefinition } from "../../src/store/index.js";

function uuidBytes(text: string): Uint8Array {
  const bytes = parseUuid(text);
  if (bytes === undefined) throw new Error(`${text} is no UUID`);
  return bytes;
}

const gibibyte = 1024n ** 3n;

/** Where the lines of {@link reportEverything} come from. */
export const buildSourceId = "3f2b1a00-0000-4000-8000-000000000001";

/** An agent that can report of every kind. */
export const busyAgent: Partial<AgentDefinition> = {
  operatingSystem: "linux",
  architecture: "amd64",
  scripts: [
    { displayName: "Install tools", script: "true", runOnStart: true },
    { displayName: "Start editor", script: "true", runOnStart: true },
    { displayName: "Clone repository", script: "true", runOnStart: true },
  ],
  apps: [
    { slug: "assistant", displayName: "Assistant" },
    { slug: "editor", displayName: "Editor" },
  ],
  metadata: [
    { key: "load", displayName: "Load", script: "uptime", intervalSeconds: 5, timeoutSeconds: 1 },
    { key: "disk", displayName: "Disk", script: "df", intervalSeconds: 60, timeoutSeconds: 1 },
  ],
  resourceMonitoring: {
    memory: { enabled: true, thresholdPercent: 80 },
    volumes: [{ path: "/home", enabled: true, thresholdPercent: 90 }],
  },
  logSources: [{ id: buildSourceId, displayName: "Build" }],
};

/** Sends lines of log. */
export async function sendLines(
  { agent }: AgentConnection,
  lines: readonly (readonly [keyof typeof Log_Level, string])[],
): Promise<{ logLimitExceeded: boolean }> {
  const logs = lines.map(([level, output]) => ({
    level: Log_Level[level],
    output,
    createdAt: timestampFromMs(Date.now()),
  }));
  return agent.batchCreateLogs({ logSourceId: uuidBytes(buildSourceId), logs });
}

/** Reports something of every kind that there is, as an agent would over some minutes. */
export async function reportEverything(connection: AgentConnection): Promise<void> {
  const { agent } = connection;
  const nowMs = Date.now();
  const { scripts } = await agent.getManifest({});
  const names = ["Install tools", "Start editor", "Clone repository"];
  await agent.updateStartup({ startup: { version: "v1.2.3", expandedDirectory: "/home/ada/project" } });
  await agent.updateLifecycle({ lifecycle: { state: Lifecycle_State.STARTING } });
  await agent.updateLifecycle({ lifecycle: { state: Lifecycle_State.READY } });
  await agent.updateAppStatus({
    slug: "assistant",
    state: UpdateAppStatusRequest_AppStatusState.WORKING,
    message: "reading the tests",
    uri: "https://example.com/task",
  });
  await agent.batchUpdateMetadata({
    metadata: [
      { key: "load", result: { value: "0.42", collectedAt: timestampFromMs(nowMs) } },
      { key: "disk", result: { error: "df: not found", collectedAt: timestampFromMs(nowMs) } },
    ],
  });
  await sendLines(connection, [
    ["INFO", "fetching packages"],
    ["WARN", "a package is old"],
    ["ERROR", "the compiler failed"],
    ["DEBUG", "\u001b[32mgreen\u001b[0m text"],
  ]);
  for (const [index, name] of names.entries()) {
    const script = scripts.find(({ displayName }) => displayName === name);
    if (script === undefined) throw new Error(`there is no script ${name}`);
    const startMs = nowMs - 60_000 + index * 4000;
    await agent.scriptCompleted({
      timing: {
        scriptId: script.id,
        start: timestampFromMs(startMs),
        end: timestampFromMs(startMs + 3000 + index * 9000),
        exitCode: index === 2 ? 1 : 0,
        stage: Timing_Stage.START,
        status: index === 2 ? Timing_Status.EXIT_FAILURE : Timing_Status.OK,
      },
    });
  }
  await agent.pushResourcesMonitoringUsage({
    datapoints: Array.from({ length: 20 }, (_, i) => ({
      collectedAt: timestampFromMs(nowMs - (20 - i) * 10_000),
      memory: { used: (gibibyte * BigInt(30 + ((i * 7) % 25))) / 10n, total: 8n * gibibyte },
      volumes: [{ volume: "/home", used: gibibyte * BigInt(20 + i), total: 100n * gibibyte }],
    })),
  });
  await agent.updateStats({
    stats: { connectionCount: 2n, sessionCountSsh: 1n, rxBytes: 4096n, txBytes: 512n },
  });
  await agent.reportConnection({
    connection: {
      id: uuidBytes(randomUUID()),
      action: Connection_Action.CONNECT,
      type: Connection_Type.SSH,
      timestamp: timestampFromMs(nowMs - 120_000),
      ip: "192.0.2.7",
    },
  });
  await agent.reportBoundaryLogs({
    sessionId: randomUUID(),
    confinedProcessName: "assistant",
    logs: [
      {
        allowed: true,
        time: timestampFromMs(nowMs - 5000),
        sequenceNumber: 0,
        resource: {
          case: "httpRequest",
          value: { method: "GET", url: "https://example.com/ok", matchedRule: "domain=example.com" },
        },
      },
      {
        allowed: false,
        time: timestampFromMs(nowMs - 4000),
        sequenceNumber: 1,
        resource: { case: "httpRequest", value: { method: "POST", url: "https://evil.example/steal" } },
      },
    ],
  });
  await agent.createSubAgent({ name: "devcontainer", directory: "/workspaces/project" });
}
