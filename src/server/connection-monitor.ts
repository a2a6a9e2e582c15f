import type { AgentRecord, ConnectionTimes } from "../store/index.js";
import { CloseCode, TransportError, type YamuxSession } from "../transport/index.js";
import type { AgentSession } from "./agent-session.js";
import type { BuildWatch } from "./batches/build-watch.js";
import type { Batches } from "./batches/index.js";
import type { Events } from "./events/index.js";
import type { Logger, Metrics } from "./hooks.js";

/** How an agent's connection is watched. S2.2, S2.3. */
export interface MonitorOptions {
  /** A ping and an update of the store are made so often. 15,000 by default. */
  updateIntervalMs?: number;
  /**
   * An agent that has not answered a ping for so long is disconnected, and one that has not been seen for so long
   * counts as disconnected. Twice the interval by default, but at least 2,000.
   */
  disconnectTimeoutMs?: number;
}

const defaultUpdateIntervalMs = 15_000;
const leastDerivedTimeoutMs = 2_000;

/** Updates of one tick may wait so long for company: a thousand agents are not a thousand statements. */
const tickCompanyMs = 500;

/** The options with their defaults. S2.2, S2.3. */
export function resolveMonitorOptions(options: MonitorOptions = {}): Required<MonitorOptions> {
  const updateIntervalMs = options.updateIntervalMs ?? defaultUpdateIntervalMs;
  const derivedMs = Math.max(2 * updateIntervalMs, leastDerivedTimeoutMs);
  return { updateIntervalMs, disconnectTimeoutMs: options.disconnectTimeoutMs ?? derivedMs };
}

/** What the monitor works with. */
export interface MonitorDeps {
  batches: Pick<Batches, "connections">;
  builds: Pick<BuildWatch, "latestBuildId">;
  events: Events;
  log: Logger;
  metrics: Metrics;
  nowUs: () => number;
  /** This server, among those that share a store. */
  replicaId: string;
}

/**
 * Keeps the connection times of an agent while one of its own connections lives: one update and one event when it
 * begins, an update at each interval, one update and one event at its end. It ends the session when pings stay
 * without answer, when the store fails, and when there is a newer build. S2.4–S2.13.
 *
 * @returns what to call at the end of the session; it resolves when the last update is written.
 */
export function monitorConnection(
  deps: MonitorDeps,
  session: Pick<YamuxSession, "ping" | "abort">,
  agent: AgentRecord,
  who: AgentSession,
  options: MonitorOptions = {},
): () => Promise<void> {
  const monitor = new ConnectionMonitor(deps, session, agent, who, resolveMonitorOptions(options));
  return () => monitor.end();
}

class ConnectionMonitor {
  readonly #deps: MonitorDeps;
  readonly #session: Pick<YamuxSession, "ping" | "abort">;
  readonly #who: AgentSession;
  readonly #options: Required<MonitorOptions>;
  readonly #times: ConnectionTimes;
  readonly #pinger: ReturnType<typeof setInterval>;
  readonly #ticker: ReturnType<typeof setInterval>;
  #lastPingUs: number;
  #isOver = false;

  constructor(
    deps: MonitorDeps,
    session: Pick<YamuxSession, "ping" | "abort">,
    agent: AgentRecord,
    who: AgentSession,
    options: Required<MonitorOptions>,
  ) {
    this.#deps = deps;
    this.#session = session;
    this.#who = who;
    this.#options = options;
    const nowUs = deps.nowUs();
    this.#lastPingUs = nowUs;
    this.#times = {
      firstConnectedAtUs: agent.connection.firstConnectedAtUs ?? nowUs,
      lastConnectedAtUs: nowUs,
      disconnectedAtUs: agent.connection.disconnectedAtUs,
      lastReplicaId: deps.replicaId,
    };
    if (agent.connection.firstConnectedAtUs === undefined) this.#observeFirst(agent, nowUs);
    this.#pinger = setInterval(() => void this.#ping(), options.updateIntervalMs);
    this.#ticker = setInterval(() => void this.#tick(), options.updateIntervalMs);
    this.#write().then(
      () => this.#publish(),
      (error: unknown) => this.#stop(String(error)),
    );
  }

  /** The session is over, for whatever reason. */
  async end(): Promise<void> {
    this.#isOver = true;
    clearInterval(this.#pinger);
    clearInterval(this.#ticker);
    this.#times.disconnectedAtUs = this.#deps.nowUs();
    try {
      await withTimeout(this.#write(), this.#options.disconnectTimeoutMs);
    } catch (error) {
      this.#deps.log.error("the end of an agent's connection could not be stored", {
        agent_id: this.#who.agentId,
        error: String(error),
      });
    }
    this.#publish();
  }

  /** The first that fails is the last; the session ends when there has been none for too long. S2.7. */
  async #ping(): Promise<void> {
    try {
      await this.#session.ping();
      this.#lastPingUs = this.#deps.nowUs();
    } catch {
      clearInterval(this.#pinger);
    }
  }

  /** S2.8. */
  async #tick(): Promise<void> {
    const nowUs = this.#deps.nowUs();
    if (nowUs - this.#lastPingUs > this.#options.disconnectTimeoutMs * 1000) {
      this.#deps.log.warn("connection to agent timed out", { agent_id: this.#who.agentId });
      return this.#stop("ping timeout");
    }
    this.#times.lastConnectedAtUs = nowUs;
    try {
      await this.#write(tickCompanyMs);
      const latest = await this.#deps.builds.latestBuildId(this.#who.workspaceId);
      if (latest !== this.#who.buildId) this.#stop("build is outdated");
    } catch (error) {
      this.#stop(String(error));
    }
  }

  /** Updates are stored in the order in which they were made. */
  #write(withinMs = 0): Promise<void> {
    return this.#deps.batches.connections.add({ agentId: this.#who.agentId, ...this.#times }, withinMs);
  }

  #publish(): void {
    const { ownerId, workspaceId, agentId } = this.#who;
    const kind = "agt_connection_update";
    this.#deps.events.publish({ topic: "workspace", kind, ownerId, workspaceId, agentId });
  }

  #stop(reason: string): void {
    if (this.#isOver) return;
    clearInterval(this.#pinger);
    clearInterval(this.#ticker);
    const { agentId } = this.#who;
    this.#deps.log.debug("agent connection monitor is closing connection", { agent_id: agentId, reason });
    const error = new TransportError("session", "closed-locally", `connection monitor: ${reason}`);
    this.#session.abort(error, CloseCode.GoingAway);
  }

  /** S2.5. */
  #observeFirst(agent: AgentRecord, nowUs: number): void {
    const seconds = (nowUs - agent.createdAtUs) / 1_000_000;
    if (seconds < 0) {
      this.#deps.log.warn("an agent connected before it was made", { agent_id: agent.id });
      return;
    }
    const labels = { template_name: this.#who.templateName, agent_name: agent.name };
    this.#deps.metrics.observe("coderd_agents_first_connection_seconds", seconds, labels);
  }
}

async function withTimeout(work: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not stored within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
