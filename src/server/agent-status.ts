import type { AgentRecord, ConnectionTimes, LifecycleState } from "../store/index.js";

/** Whether an agent is connected. S2.17. */
export type AgentStatus = "connecting" | "timeout" | "disconnected" | "connected";

/** What of an agent says whether it is connected. */
export type StatusFacts = Pick<AgentRecord, "connection" | "connectionTimeoutSeconds" | "createdAtUs">;

/** Whether an agent is connected, and since when it is not. */
export interface ConnectionStatus {
  status: AgentStatus;
  /** As stored; when it was seen last, for an agent that vanished without a word. */
  disconnectedAtUs: number | undefined;
}

/**
 * Whether an agent is connected. S2.17.
 * @param disconnectTimeoutMs one that has not been seen for so long is not.
 */
export function agentStatus(
  agent: StatusFacts,
  nowUs: number,
  disconnectTimeoutMs: number,
): ConnectionStatus {
  const { firstConnectedAtUs, lastConnectedAtUs, disconnectedAtUs } = agent.connection;
  if (firstConnectedAtUs === undefined) {
    const timeoutUs = agent.connectionTimeoutSeconds * 1_000_000;
    const isLate = timeoutUs > 0 && nowUs - agent.createdAtUs > timeoutUs;
    return { status: isLate ? "timeout" : "connecting", disconnectedAtUs };
  }
  if (hasLeft(agent.connection)) return { status: "disconnected", disconnectedAtUs };
  if (nowUs - (lastConnectedAtUs ?? firstConnectedAtUs) > disconnectTimeoutMs * 1000) {
    return { status: "disconnected", disconnectedAtUs: lastConnectedAtUs };
  }
  return { status: "connected", disconnectedAtUs };
}

/** Equally old ones count as left. S2.21. */
function hasLeft({ disconnectedAtUs, lastConnectedAtUs }: ConnectionTimes): boolean {
  return disconnectedAtUs !== undefined && disconnectedAtUs >= (lastConnectedAtUs ?? disconnectedAtUs);
}

/** Whether all is well with an agent; the reason is for people. S2.18. */
export interface AgentHealth {
  healthy: boolean;
  reason?: string;
}

const statusReasons: Readonly<Partial<Record<AgentStatus, string>>> = {
  connecting: "agent has not yet connected",
  timeout: "agent is taking too long to connect",
  disconnected: "agent has lost connection",
};

const lifecycleReasons: Readonly<Partial<Record<LifecycleState, string>>> = {
  start_error: "agent startup script exited with an error",
  shutting_down: "agent is shutting down",
  shutdown_timeout: "agent is shutting down",
  shutdown_error: "agent is shutting down",
};

/** Whether all is well with an agent. S2.18. */
export function agentHealth(status: AgentStatus, lifecycle: LifecycleState): AgentHealth {
  const isOff = status !== "connected" && lifecycle === "off";
  const reason = isOff ? "agent is not running" : (statusReasons[status] ?? lifecycleReasons[lifecycle]);
  return reason === undefined ? { healthy: true } : { healthy: false, reason };
}
