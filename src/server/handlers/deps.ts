import type { ServiceImpl } from "@connectrpc/connect";
import { Code } from "@connectrpc/connect";
import type { Agent, BannerConfig } from "../../gen/coder/agent/v2/agent_pb.js";
import type { DERPMap } from "../../gen/coder/tailnet/v2/tailnet_pb.js";
import type { AgentRecord, AgentStore } from "../../store/index.js";
import type { Events } from "../events/index.js";
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
  banners: () => readonly Pick<BannerConfig, "enabled" | "message" | "backgroundColor">[];
  derpMap: () => DERPMap;
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
