import type { ServiceImpl } from "@connectrpc/connect";
import { Code } from "@connectrpc/connect";
import type { Agent, BannerConfig, Stats_Metric } from "../../gen/coder/agent/v2/agent_pb.js";
import type { AgentRecord, AgentStore } from "../../store/index.js";
import type { AgentSession } from "../agent-session.js";
import type { Batches } from "../batches/index.js";
import type { Events } from "../events/index.js";
import type { Activity, Logger, Metrics, Notifications } from "../hooks.js";
import type { DerpMapSource } from "../tailnet/derp/derp-map-source.js";
import { HandlerFailure } from "./failure.js";

/** Some RPCs of the agent service. */
export type AgentHandlers = Partial<ServiceImpl<typeof Agent>>;

/** What the handlers work with. */
export interface HandlerDeps {
  store: AgentStore;
  events: Events;
  /** Microseconds since 1970. */
  nowUs: () => number;
  /** What UpdateStats answers. S3.27. */
  statsIntervalMs: number;
  batches: Batches;
  log: Logger;
  metrics: Metrics;
  notifications: Notifications;
  activity: Activity;
  /** What an agent measures itself, for whoever gathers it. S3.31. */
  onAgentMetrics?: ((who: AgentSession, metrics: readonly Stats_Metric[]) => void) | undefined;
  manifest: ManifestSettings;
  banners: () => readonly Pick<BannerConfig, "enabled" | "message" | "backgroundColor">[];
  derpMap: DerpMapSource;
}

/** What of a deployment is in every manifest. S3.14, S3.15. */
export interface ManifestSettings {
  /** Under which apps have host names of their own, such as `*.apps.example.com`. None by default. */
  appHostname?: string;
  /** How the control plane is reached, such as `https://example.com`. */
  accessUrl?: string;
  /** How many providers of git credentials there are. 0 by default. */
  gitAuthConfigs?: number;
  disableDirectConnections?: boolean;
  derpForceWebsockets?: boolean;
}

/** The agent's row, fresh. S3.2, S3.3. */
export async function freshAgent({ store }: HandlerDeps, agentId: string, prefix = ""): Promise<AgentRecord> {
  const agent = await store.agent(agentId);
  if (agent !== undefined) return agent;
  throw new HandlerFailure(
    `${prefix}get workspace agent by id "${agentId}": sql: no rows in result set`,
    Code.NotFound,
  );
}
