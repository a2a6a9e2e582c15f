import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  LineSplitter,
  LogLevel,
  type LogSender,
  type Manifest,
  TimingStage,
  TimingStatus,
} from "../client/index-node.js";
import { ReportQueue } from "../client/senders/report-queue.js";
import { type CommandEnd, runCommand } from "./command.js";
import type { AgentEvent, ScriptStage, ScriptStatus } from "./events.js";
import type { Workplace } from "./manifest.js";

type Script = Manifest["scripts"][number];

/** How all scripts of a stage ended together. */
export type StageEnd = "ok" | "error" | "timeout";

/** A run of a script that has ended, to be reported. */
export interface ScriptTiming {
  scriptId: Uint8Array;
  start: ReturnType<typeof timestampFromDate>;
  end: ReturnType<typeof timestampFromDate>;
  exitCode: number;
  stage: TimingStage;
  status: TimingStatus;
}

const wireStages: Readonly<Record<ScriptStage, TimingStage>> = {
  start: TimingStage.START,
  stop: TimingStage.STOP,
};

const wireStatuses: Readonly<Record<ScriptStatus, TimingStatus>> = {
  ok: TimingStatus.OK,
  exit_failure: TimingStatus.EXIT_FAILURE,
  timed_out: TimingStatus.TIMED_OUT,
  pipes_left_open: TimingStatus.PIPES_LEFT_OPEN,
};

const maxTimings = 1024;

/** Runs the scripts of a manifest: output becomes logs, each run a timing. C4.67, C4.68. */
export class ScriptRunner {
  readonly timings = new ReportQueue<ScriptTiming>(maxTimings);
  readonly #logs: LogSender;
  readonly #onEvent: (event: AgentEvent) => void;

  constructor(logs: LogSender, onEvent: (event: AgentEvent) => void) {
    this.#logs = logs;
    this.#onEvent = onEvent;
  }

  /** Runs all scripts of a stage at the same time. */
  async runStage(
    stage: ScriptStage,
    scripts: readonly Script[],
    workplace: Workplace,
    signal: AbortSignal,
  ): Promise<StageEnd> {
    const chosen = scripts.filter((script) => (stage === "start" ? script.runOnStart : script.runOnStop));
    const ends = await Promise.all(chosen.map((script) => this.#run(stage, script, workplace, signal)));
    if (ends.includes("timed_out")) return "timeout";
    return ends.every((end) => end === "ok") ? "ok" : "error";
  }

  async #run(
    stage: ScriptStage,
    script: Script,
    { directory, environment }: Workplace,
    signal: AbortSignal,
  ): Promise<ScriptStatus> {
    const stdout = this.#lineWriter(script.logSourceId, LogLevel.INFO, signal);
    const stderr = this.#lineWriter(script.logSourceId, LogLevel.ERROR, signal);
    const startedAt = new Date();
    let end: CommandEnd;
    try {
      end = await runCommand({
        script: script.script,
        directory,
        environment,
        timeoutMs: durationMs(script.timeout),
        signal,
        onStdout: stdout.write,
        onStderr: stderr.write,
      });
      await stdout.end();
      await stderr.end();
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      this.#onEvent({ kind: "warning", text: `script ${nameOf(script)}: ${text}` });
      end = { status: "exit_failure", exitCode: 255, startedAt, endedAt: new Date() };
    }
    this.#report(stage, script, end);
    return end.status;
  }

  #lineWriter(sourceId: Uint8Array, level: LogLevel, signal: AbortSignal) {
    const splitter = new LineSplitter();
    const send = (lines: readonly string[]) =>
      this.#logs.send(
        sourceId,
        lines.map((output) => ({ output, level })),
        signal,
      );
    return { write: (chunk: Buffer) => send(splitter.push(chunk)), end: () => send(splitter.end()) };
  }

  #report(stage: ScriptStage, script: Script, { status, exitCode, startedAt, endedAt }: CommandEnd): void {
    this.#onEvent({
      kind: "script-ended",
      script: nameOf(script),
      stage,
      status,
      exitCode,
      durationMs: endedAt.getTime() - startedAt.getTime(),
    });
    // a server before 2.3 has no ids for scripts, and keeps no timings
    if (script.id.length === 0) return;
    const isQueued = this.timings.push({
      scriptId: script.id,
      start: timestampFromDate(startedAt),
      end: timestampFromDate(endedAt),
      exitCode,
      stage: wireStages[stage],
      status: wireStatuses[status],
    });
    if (!isQueued) this.#onEvent({ kind: "warning", text: "too many script timings wait; one was dropped" });
  }
}

function nameOf(script: Script): string {
  return script.displayName === "" ? "without a name" : `"${script.displayName}"`;
}

/** A duration of a manifest, in milliseconds; undefined for none. */
export function durationMs(duration: { seconds: bigint; nanos: number } | undefined): number | undefined {
  if (duration === undefined) return undefined;
  return Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}
