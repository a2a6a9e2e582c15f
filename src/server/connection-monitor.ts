import type { AgentRecord, AgentStore, ConnectionTimes } from "../store/index.js";
import { CloseCode, TransportError, type YamuxSession } from "../transport/index.js";
import type { AgentSession } from "./agent-session.js";
import type { Events } from "./events/index.js";

/** How an agent's connection is watched. S2.2, S2.3. */
export interface MonitorOptions {
  /** A ping and an update of the store are made so often. 15,000 by default. */
  updateIntervalMs?: number;
  /** An agent that has not answered a ping for so long is disconnected. 30,000 by default. */
  disconnectTimeoutMs?: number;
}

const defaultUpdateIntervalMs = 15_000;

/** What the monitor works with. */
export interface MonitorDeps {
  store: AgentStore;
  events: Events;
  nowUs: () => number;
}

/**
 * Keeps the connection times of an agent while one of its own connections lives: one update and one event when it
 * begins, an update at each interval, one update and one event at its end. S2.4–S2.11.
 *
 * @returns what to call at the end of the session; it resolves when the last update is written.
 */
export function monitorConnection(
  { store, events, nowUs }: MonitorDeps,
  session: YamuxSession,
  agent: AgentRecord,
  who: AgentSession,
  options: MonitorOptions = {},
): () => Promise<void> {
  const intervalMs = options.updateIntervalMs ?? defaultUpdateIntervalMs;
  const timeoutMs = options.disconnectTimeoutMs ?? Math.max(2 * intervalMs, 2000);
  let lastPingAtMs = performance.now();
  let isPinging = true;
  const times: ConnectionTimes = {
    firstConnectedAtUs: agent.connection.firstConnectedAtUs ?? nowUs(),
    lastConnectedAtUs: nowUs(),
    disconnectedAtUs: agent.connection.disconnectedAtUs,
    lastReplicaId: undefined,
  };
  const publish = () => {
    const { ownerId, workspaceId, agentId } = who;
    events.publish({ topic: "workspace", kind: "agt_connection_update", ownerId, workspaceId, agentId });
  };
  const stop = (why: string) =>
    session.abort(
      new TransportError("session", "closed-locally", `connection monitor: ${why}`),
      CloseCode.GoingAway,
    );
  // updates leave in the order in which they were made
  let writing: Promise<void> = Promise.resolve();
  const write = () => {
    const now = { ...times };
    writing = writing.then(() => store.updateConnections([{ agentId: who.agentId, ...now }]));
    return writing;
  };
  const ping = async () => {
    try {
      await session.ping();
      lastPingAtMs = performance.now();
    } catch {
      // The first that fails is the last; the connection ends when it has been silent for too long. S2.7.
      isPinging = false;
    }
  };
  const tick = async () => {
    if (isPinging) void ping();
    if (performance.now() - lastPingAtMs > timeoutMs) return stop("ping timeout");
    times.lastConnectedAtUs = nowUs();
    await write();
  };

  const timer = setInterval(() => void tick().catch((error: unknown) => stop(String(error))), intervalMs);
  void write().then(publish, (error: unknown) => stop(String(error)));
  return async () => {
    clearInterval(timer);
    times.disconnectedAtUs = nowUs();
    await write().catch(() => {});
    publish();
  };
}
