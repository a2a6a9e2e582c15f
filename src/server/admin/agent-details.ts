import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { normalizeUuid } from "../../codec/index.js";
import type { AdminService } from "../../gen/agentwire/admin/v1/admin_pb.js";
import { type AgentRecord, type ControlPlaneStore, maxLogsLength } from "../../store/index.js";
import { type ApiVersion, formatVersion } from "../../version/index.js";
import { usTimestamp } from "../handlers/time.js";
import {
  type AgentFacts,
  agentMessage,
  appMessage,
  appStatusMessage,
  connectionMessage,
  metadataMessage,
  monitorMessage,
  sampleMessage,
  scriptRunMessage,
  statsMessage,
} from "./agent-messages.js";
import { wrong } from "./definitions.js";

/** How the RPCs about one agent get at what they tell. */
export interface AgentDetailsDeps {
  store: ControlPlaneStore;
  /** What is so now. */
  factsOf(agentId: string): AgentFacts;
  /** The newest version of the agent API that the server speaks. */
  serverVersion: ApiVersion;
}

const defaultEntries = 200;
const maxEntries = 1000;
const defaultLines = 1000;
const maxLines = 5000;

/** The RPCs about one agent. */
export function agentDetails({
  store,
  factsOf,
  serverVersion,
}: AgentDetailsDeps): Pick<ServiceImpl<typeof AdminService>, "getAgent" | "listLogs" | "getAgentToken"> {
  return {
    async getAgent({ agentId, limit: asked }) {
      const agent = await existingAgent(store, agentId);
      const limit = limitOf(asked, defaultEntries, maxEntries);
      const { id, workspaceId } = agent;
      const [workspace, agents, manifest, statuses, logSources, reports, monitors, runs, connections] =
        await Promise.all([
          store.workspace(workspaceId),
          store.agents(workspaceId),
          store.manifestRecords(id),
          store.appStatuses({ agentId: id }, limit),
          store.logSources(id),
          store.reports(id, limit),
          store.resourceMonitors(id),
          store.scriptTimings(id),
          store.connectionLog({ agentId: id, limit }),
        ]);
      const scriptNames = new Map(manifest.scripts.map((script) => [script.id, script.displayName]));
      const facts = factsOf(id);
      return {
        agent: {
          ...agentMessage(agent, facts),
          apps: manifest.apps.map((app) => appMessage(app, statuses)),
        },
        workspaceId,
        workspace: workspace?.name ?? "",
        owner: workspace?.ownerUsername ?? "",
        metadata: manifest.metadata.map(metadataMessage),
        appStatuses: statuses.map(appStatusMessage),
        logSources: logSources.map(({ id: sourceId, displayName }) => ({ id: sourceId, displayName })),
        resourceSamples: reports.resourceSamples.map(sampleMessage),
        ...(monitors.memory === undefined ? {} : { memoryMonitor: monitorMessage(monitors.memory) }),
        volumeMonitors: monitors.volumes.map((volume) => monitorMessage(volume, volume.path)),
        stats: reports.stats.map(statsMessage),
        boundaryDecisions: reports.boundaryLogs.map(
          ({ id: decisionId, isAllowed, atUs, method, url, matchedRule = "" }) => ({
            id: decisionId,
            isAllowed,
            at: usTimestamp(atUs),
            method,
            url,
            matchedRule,
          }),
        ),
        workspaceAgents: agents.map((one) => agentMessage(one, factsOf(one.id))),
        scriptRuns: runs
          .slice(-limit)
          .map((run) => scriptRunMessage(run, scriptNames.get(run.scriptId) ?? "")),
        connections: connections.map(connectionMessage),
        logsBytes: BigInt(agent.logsLength),
        maxLogsBytes: BigInt(maxLogsLength),
        now: usTimestamp(facts.nowUs),
      };
    },

    async listLogs({ agentId, after, limit: asked }) {
      const agent = await existingAgent(store, agentId);
      if (after < 0n) throw wrong("after", "must not be negative");
      const lines = await store.logs(agent.id, Number(after), limitOf(asked, defaultLines, maxLines));
      return {
        lines: lines.map(({ id, createdAtUs, level, output, logSourceId }) => ({
          id: BigInt(id),
          createdAt: usTimestamp(createdAtUs),
          level,
          output,
          sourceId: logSourceId,
        })),
        isOverflowed: agent.logsOverflowed,
      };
    },

    async getAgentToken({ agentId }) {
      const { authToken } = await existingAgent(store, agentId);
      return { token: authToken, apiVersion: formatVersion(serverVersion) };
    },
  };
}

function limitOf(asked: number, byDefault: number, atMost: number): number {
  if (asked < 0 || asked > atMost) throw wrong("limit", `must be 0 to ${atMost}`);
  return asked === 0 ? byDefault : asked;
}

async function existingAgent(store: ControlPlaneStore, agentId: string): Promise<AgentRecord> {
  const id = normalizeUuid(agentId);
  if (id === undefined) throw wrong("agent_id", "must be a UUID");
  const agent = await store.agent(id);
  if (agent === undefined) throw new ConnectError(`there is no agent ${id}`, Code.NotFound);
  return agent;
}
