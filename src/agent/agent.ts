import {
  type AgentConnection,
  DialError,
  dialAgent,
  isUnimplemented,
  LogSender,
  type Manifest,
  type NodeDialOptions,
  RpcError,
  type Subsystem,
} from "../client/index-node.js";
import { pause } from "../client/pause.js";
import { knownToken } from "../client/tokens/token-source.js";
import { formatUuid, nilUuid } from "../codec/index.js";
import { formatVersion } from "../version/index.js";
import { reportAppHealth } from "./app-health.js";
import type { AgentEvent } from "./events.js";
import { Lifecycle } from "./lifecycle.js";
import { expandDirectory, type Workplace, workplaceOf, writeSecretFiles } from "./manifest.js";
import { reportMetadata } from "./metadata.js";
import { makeScriptFolder, type ScriptFolder } from "./script-folder.js";
import { ScriptRunner, type ScriptTiming, type StageEnd } from "./scripts.js";
import { reportResources, reportStats } from "./usage.js";

/** How an agent is run. */
export interface AgentOptions {
  /** How the control plane is reached. Role and version are the agent's own. */
  dial: Omit<NodeDialOptions<"negotiate">, "role" | "version" | "signal">;
  /** What it reports as its own version. `v0.0.0` by default. */
  buildVersion?: string;
  /** What has prepared the machine. None by default. */
  subsystems?: readonly Subsystem[];
  /** Programs that scripts find on their `PATH`: by name, what to run, with arguments. None by default. */
  commands?: Readonly<Record<string, readonly string[]>>;
  /** Told what happens. */
  onEvent?(event: AgentEvent): void;
}

/** An agent that runs. */
export interface RunningAgent {
  /** Resolves when the agent has stopped. Rejects with a DialError when the server will never take it. */
  readonly ended: Promise<void>;
  /**
   * Stops it in order: lifecycle `shutting_down`, stop scripts, lifecycle `off`, then whatever is not sent yet, for
   * five seconds at most. C4.86. Resolves when all is done.
   */
  stop(): Promise<void>;
}

const firstRetryMs = 100;
const maxRetryMs = 10_000;
/** A connection that has lived for so long was a good one: the next retries begin anew. */
const healthyMs = 60_000;
/** C4.86, step 8. */
const lastReportsMs = 5000;
const scriptTimingTimeoutMs = 30_000;

/**
 * Runs an agent: one connection after the other to the control plane, the start scripts once, their output as logs,
 * lifecycle, metadata, app health, stats and resource usage. Schedules (cron) of scripts are not kept.
 */
export function runAgent(options: AgentOptions): RunningAgent {
  const agent = new WorkspaceAgent(options);
  const ended = agent.run();
  ended.catch(() => {});
  return {
    ended,
    async stop() {
      await agent.stop();
      await ended.catch(() => {});
    },
  };
}

class WorkspaceAgent {
  readonly #options: AgentOptions;
  readonly #lifecycle: Lifecycle;
  readonly #logs = new LogSender();
  readonly #scripts: ScriptRunner;
  /** Ends when the agent begins to stop: what only serves a workspace in use ends with it. C4.2. */
  readonly #graceful = new AbortController();
  /** Ends when everything must. */
  readonly #hard = new AbortController();
  #folder: ScriptFolder | undefined;
  /** From the first manifest on. */
  #first: { manifest: Manifest; workplace: Workplace; started: Promise<void> } | undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#lifecycle = new Lifecycle((state) => this.#tell({ kind: "lifecycle", state }));
    this.#scripts = new ScriptRunner(this.#logs, (event) => this.#tell(event));
  }

  async run(): Promise<void> {
    this.#folder = await makeScriptFolder(this.#options.commands ?? {});
    try {
      let failures = 0;
      while (!this.#hard.signal.aborted) {
        const begin = performance.now();
        const reason = await this.#runConnection();
        if (this.#hard.signal.aborted) return;
        failures = performance.now() - begin > healthyMs ? 0 : failures + 1;
        // full jitter: many agents that lose a server at once do not come back at once
        const limitMs = Math.min(maxRetryMs, firstRetryMs * 2 ** failures);
        const retryInMs = Math.round(Math.random() * limitMs);
        this.#tell({ kind: "disconnected", reason, retryInMs });
        await pause(retryInMs, this.#hard.signal).catch(() => {});
      }
    } finally {
      this.#hard.abort();
      this.#graceful.abort();
      await this.#first?.started;
      await this.#folder.remove();
    }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** @returns why the connection has ended. @throws what no retry can change. */
  async #runConnection(): Promise<string> {
    let connection: AgentConnection;
    try {
      connection = await dialAgent({
        ...this.#options.dial,
        role: "agent",
        signal: this.#hard.signal,
      });
    } catch (error) {
      if (isFinal(error)) throw error;
      return textOf(error);
    }
    this.#tell({ kind: "connected", version: formatVersion(connection.version) });
    const scope = new AbortController();
    const signal = AbortSignal.any([this.#hard.signal, scope.signal]);
    void connection.closed.then((end) => scope.abort(end));
    const routines = this.#routines(connection, signal);
    try {
      await Promise.all(routines);
      return "nothing left to do";
    } catch (error) {
      return textOf(error);
    } finally {
      scope.abort(new Error("the connection ends"));
      await connection.close();
      await Promise.allSettled(routines);
    }
  }

  /** Everything that is done over one connection, side by side; the first that fails ends it. C4.6. */
  #routines({ agent }: AgentConnection, signal: AbortSignal): Promise<unknown>[] {
    const graceful = AbortSignal.any([signal, this.#graceful.signal]);
    const warn = (text: string) => this.#tell({ kind: "warning", text });
    return [
      this.#logs.run(agent, signal).then(() => warn("the server takes no more logs of this agent")),
      this.#lifecycle.reports.run((lifecycle) => agent.updateLifecycle({ lifecycle }, { signal }), signal),
      this.#scripts.timings.run((timing) => this.#reportTiming(agent, timing, signal), signal),
      this.#whileInUse(async () => {
        const { manifest, workplace } = await this.#takeManifest(agent, graceful);
        await Promise.all([
          reportMetadata(agent, manifest.metadata, workplace, graceful),
          reportAppHealth(agent, manifest.apps, graceful, warn),
          reportStats(agent, graceful),
        ]);
      }),
      this.#whileInUse(() => reportResources(agent, graceful, warn)),
    ];
  }

  /** What ends when the agent begins to stop, and is left alone where the server does not have it. */
  async #whileInUse(routine: () => Promise<unknown>): Promise<void> {
    try {
      await routine();
    } catch (error) {
      if (this.#graceful.signal.aborted || isUnimplemented(error)) return;
      throw error;
    }
  }

  /** C4.28. */
  async #takeManifest(agent: AgentConnection["agent"], signal: AbortSignal) {
    const manifest = await agent.getManifest({}, { signal });
    if ((formatUuid(manifest.agentId) ?? nilUuid) === nilUuid) {
      throw new Error("the manifest has no agent id");
    }
    const { buildVersion = "v0.0.0", subsystems = [], dial } = this.#options;
    const startup = {
      version: buildVersion,
      expandedDirectory: expandDirectory(manifest.directory),
      subsystems: [...subsystems],
    };
    await agent.updateStartup({ startup }, { signal });
    const { binDirectory = "", dataDirectory = "" } = this.#folder ?? {};
    const workplace = await workplaceOf(manifest, {
      url: String(dial.url),
      token: await knownToken(dial.token, signal),
      binDirectory,
      dataDirectory,
    });
    for (const text of await writeSecretFiles(manifest)) this.#tell({ kind: "warning", text });
    if (this.#first === undefined) {
      this.#first = { manifest, workplace, started: this.#start(manifest, workplace) };
    } else {
      this.#first.manifest = manifest;
      this.#first.workplace = workplace;
    }
    return { manifest, workplace };
  }

  /** Start scripts run once in the life of an agent, whatever becomes of the connection meanwhile. */
  async #start(manifest: Manifest, workplace: Workplace): Promise<void> {
    this.#lifecycle.advance("starting");
    for (const { cron, displayName } of manifest.scripts) {
      if (cron === "") continue;
      this.#tell({
        kind: "warning",
        text: `script "${displayName}": this agent keeps no schedules (${cron})`,
      });
    }
    const end = await this.#scripts.runStage("start", manifest.scripts, workplace, this.#graceful.signal);
    const states = { ok: "ready", error: "start_error", timeout: "start_timeout" } as const;
    if (!this.#graceful.signal.aborted) this.#lifecycle.advance(states[end]);
  }

  async #reportTiming(
    agent: AgentConnection["agent"],
    timing: ScriptTiming,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await agent.scriptCompleted({ timing }, { signal, timeoutMs: scriptTimingTimeoutMs });
    } catch (error) {
      // what the server refuses once it refuses again; only a lost connection is a reason to keep it. C4.68
      if (!(error instanceof RpcError) || error.drpcCode === undefined) throw error;
      if (!isUnimplemented(error))
        this.#tell({ kind: "warning", text: `script timing: ${error.rawMessage}` });
    }
  }

  async #stop(): Promise<void> {
    this.#lifecycle.advance("shutting_down");
    this.#graceful.abort(new Error("the agent stops"));
    await this.#first?.started;
    const end = await this.#runStopScripts();
    const states = { ok: "off", error: "shutdown_error", timeout: "shutdown_timeout" } as const;
    this.#lifecycle.advance(states[end]);
    await this.#sendTheRest();
    this.#hard.abort(new Error("the agent has stopped"));
  }

  async #runStopScripts(): Promise<StageEnd> {
    if (this.#first === undefined) return "ok";
    const { manifest, workplace } = this.#first;
    return this.#scripts.runStage("stop", manifest.scripts, workplace, this.#hard.signal);
  }

  async #sendTheRest(): Promise<void> {
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), lastReportsMs);
    const signal = AbortSignal.any([this.#hard.signal, deadline.signal]);
    const queues = [this.#lifecycle.reports, this.#scripts.timings, this.#logs];
    const ends = await Promise.allSettled(queues.map((queue) => queue.whenEmpty(signal)));
    clearTimeout(timer);
    if (ends.some(({ status }) => status === "rejected")) {
      this.#tell({ kind: "warning", text: "not everything could be sent before the end" });
    }
  }

  #tell(event: AgentEvent): void {
    this.#options.onEvent?.(event);
  }
}

/** Refusals that stay: a wrong token, a request that the server will never take. */
function isFinal(error: unknown): boolean {
  return (
    error instanceof DialError && error.status !== undefined && [400, 401, 403, 404].includes(error.status)
  );
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
