import { setMaxListeners } from "node:events";
import { tmpdir } from "node:os";
import { type Manifest, ScriptTimingSender, TimingStage, TimingStatus } from "../../client/index-node.js";
import type { ScriptStage, ScriptStatus } from "../events.js";
import type { AgentHost, AgentPart, StageEnd } from "../part.js";
import type { CommandEnd } from "./command.js";
import { Schedules } from "./schedules.js";
import { runScript, type Script, scriptName } from "./script-run.js";

/** How scripts are run. */
export interface ScriptsOptions {
  /** Where the output of scripts that name no file goes; the folder for temporary files by default. */
  logDirectory?: string | undefined;
  /** Where scripts keep data, each in a folder of its own; a folder that ends with the agent by default. */
  dataDirectory?: string | undefined;
  /** So long a script is held back by a control plane that takes no logs; 10,000 by default. */
  maxHoldMs?: number | undefined;
}

const wireStages: Readonly<Record<ScriptStage, TimingStage>> = {
  start: TimingStage.START,
  stop: TimingStage.STOP,
  cron: TimingStage.CRON,
};

const wireStatuses: Readonly<Record<ScriptStatus, TimingStatus>> = {
  ok: TimingStatus.OK,
  exit_failure: TimingStatus.EXIT_FAILURE,
  timed_out: TimingStatus.TIMED_OUT,
  pipes_left_open: TimingStatus.PIPES_LEFT_OPEN,
};

/** Runs the scripts of a manifest: at the start, at their times, at the end. C4.31, C4.67, C4.68, C4.86. */
export function scriptsPart(host: AgentHost, options: ScriptsOptions = {}): AgentPart {
  return new ScriptsPart(host, options);
}

class ScriptsPart implements AgentPart {
  readonly name = "scripts";
  readonly senders: readonly [ScriptTimingSender];
  readonly #host: AgentHost;
  readonly #options: ScriptsOptions;
  readonly #timings: ScriptTimingSender;
  readonly #schedules: Schedules;
  #hasBegun = false;
  readonly #all = new AbortController();

  constructor(host: AgentHost, options: ScriptsOptions) {
    this.#host = host;
    this.#options = options;
    this.#timings = new ScriptTimingSender();
    this.senders = [this.#timings];
    setMaxListeners(0, this.#all.signal);
    this.#schedules = new Schedules({
      signal: host.inUse,
      run: (script) => this.#run("cron", script, host.inUse),
      onWarning: (text) => this.#warn(text),
    });
  }

  async begin(signal: AbortSignal): Promise<StageEnd> {
    return this.#runStage("start", signal);
  }

  onBegun(): void {
    this.#hasBegun = true;
    this.#schedules.take(this.#host.manifest?.scripts ?? []);
  }

  /** A later manifest may have other times, and other scripts. C4.29. */
  onManifest({ scripts }: Manifest): void {
    if (this.#hasBegun) this.#schedules.take(scripts);
  }

  async end(): Promise<StageEnd> {
    await this.#schedules.ended();
    return this.#runStage("stop", this.#all.signal);
  }

  async close(): Promise<void> {
    this.#all.abort(new Error("the agent has stopped"));
    await this.#schedules.ended();
  }

  /** All scripts of a stage at the same time. */
  async #runStage(stage: "start" | "stop", signal: AbortSignal): Promise<StageEnd> {
    const scripts = this.#host.manifest?.scripts ?? [];
    const chosen = scripts.filter((script) => (stage === "start" ? script.runOnStart : script.runOnStop));
    const ends = await Promise.all(chosen.map((script) => this.#run(stage, script, signal)));
    if (ends.includes("timed_out")) return "timeout";
    return ends.every((end) => end === "ok") ? "ok" : "error";
  }

  async #run(stage: ScriptStage, script: Script, signal: AbortSignal): Promise<ScriptStatus> {
    const { workplace, logs, scriptFolder } = this.#host;
    // there is a manifest, or there would be no script
    if (workplace === undefined) return "exit_failure";
    const end = await runScript({
      script,
      workplace,
      logs,
      logDirectory: this.#options.logDirectory ?? tmpdir(),
      dataDirectory: this.#options.dataDirectory ?? scriptFolder.dataDirectory,
      signal,
      maxHoldMs: this.#options.maxHoldMs,
      onWarning: (text) => this.#warn(text),
    });
    this.#report(stage, script, end);
    return end.status;
  }

  #report(stage: ScriptStage, script: Script, { status, exitCode, startedAt, endedAt }: CommandEnd): void {
    const durationMs = endedAt.getTime() - startedAt.getTime();
    this.#host.tell({
      kind: "script-ended",
      script: scriptName(script),
      stage,
      status,
      exitCode,
      durationMs,
    });
    // a server before 2.3 has no ids for scripts, and keeps no timings
    if (script.id.length === 0) return;
    this.#timings.report({
      scriptId: script.id,
      start: startedAt,
      end: endedAt,
      exitCode,
      stage: wireStages[stage],
      status: wireStatuses[status],
    });
  }

  #warn(text: string): void {
    this.#host.tell({ kind: "warning", text });
  }
}
