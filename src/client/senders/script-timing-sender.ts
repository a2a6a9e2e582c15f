import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type TimingSchema,
  Timing_Stage as TimingStage,
  Timing_Status as TimingStatus,
} from "../../gen/coder/agent/v2/agent_pb.js";
import { errorText } from "../../rpc/error-text.js";
import { type DropCounts, Drops } from "./drops.js";
import { boundOption, msOption } from "./intervals.js";
import { failureKind, throwIfRunEnds, unlessConnectionEnds } from "./report-failure.js";
import { enumField, int32Field, timeField, uuidField } from "./report-fields.js";
import { ReportQueue } from "./report-queue.js";
import type { AgentClient, Sender } from "./sender.js";
import { SenderRuns } from "./sender-runs.js";

/** A run of a script that has ended. */
export interface ScriptTiming {
  /** The script's UUID, as text or as its 16 bytes. */
  scriptId: string | Uint8Array;
  start: Date;
  /** An end before the start, as of a clock that was set back, becomes the start. */
  end: Date;
  /** 255 by default, for one that is not known. C4.68. */
  exitCode?: number;
  stage: TimingStage;
  status: TimingStatus;
}

/** How a {@link ScriptTimingSender} behaves. */
export interface ScriptTimingSenderOptions {
  /** So many timings may wait; 1,024 by default. */
  maxTimings?: number;
  /** How long a report may take, in milliseconds; 30 s by default. C4.68. */
  reportTimeoutMs?: number;
  /** Told of timings that are dropped on a connection that lives on. */
  onWarning?(text: string): void;
}

/**
 * Reports how long scripts ran, in order and one call at a time. A timing whose connection is lost stays first and is
 * sent again on the next; where only the answer was lost, the server refuses the second. Dropped are new timings while
 * the queue is full (`queue_full`), those that the server refuses (`refused`) or does not answer (`unanswered`), and
 * all that wait or come while the server does not have the RPC (`unsupported`).
 */
export class ScriptTimingSender implements Sender {
  readonly name = "script-timings";
  readonly #runs = new SenderRuns(this.name);
  readonly #drops = new Drops();
  readonly #queue: ReportQueue<MessageInitShape<typeof TimingSchema>>;
  readonly #reportTimeoutMs: number;
  readonly #onWarning: (text: string) => void;

  /** @throws RangeError when an option is out of range. */
  constructor(options: ScriptTimingSenderOptions = {}) {
    this.#queue = new ReportQueue(boundOption("maxTimings", options.maxTimings, 1024));
    this.#reportTimeoutMs = msOption("reportTimeoutMs", options.reportTimeoutMs, 30_000);
    this.#onWarning = (text) => options.onWarning?.(text);
  }

  get pending(): number {
    return this.#queue.length;
  }

  get dropped(): DropCounts {
    return this.#drops.byReason;
  }

  /**
   * Takes a timing.
   * @returns false when it is dropped.
   * @throws TypeError when the id is no UUID, a time is none, the exit code has no 32 bits, or there is no such stage
   * or status.
   */
  report({ scriptId, start, end, exitCode = 255, stage, status }: ScriptTiming): boolean {
    const startTime = timeField("the start of a script", start);
    const endTime = timeField("the end of a script", end);
    const isTaken = this.#queue.push({
      scriptId: uuidField("a script's id", scriptId),
      start: startTime,
      end: end < start ? startTime : endTime,
      exitCode: int32Field("the exit code of a script", exitCode),
      stage: enumField("the stage of a script", TimingStage, stage),
      status: enumField("the status of a script", TimingStatus, status),
    });
    if (!isTaken) this.#drops.count(this.#queue.isGivenUp ? "unsupported" : "queue_full");
    return isTaken;
  }

  /**
   * Reports over a connection what waits, and what comes.
   * @returns when the server does not have the RPC, as before 2.3.
   * @throws the signal's reason; why the connection was lost; Error when a run is under way. No refusal of the server
   * ends it (C4.68).
   */
  run(agent: Pick<AgentClient, "scriptCompleted">, signal: AbortSignal): Promise<void> {
    return this.#runs.run(
      signal,
      () => this.#queue.run((timing) => this.#send(agent, timing, signal), signal),
      () => this.#drops.count("unsupported", this.#queue.giveUp().length),
    );
  }

  /** Resolves once nothing waits to be sent. @throws the signal's reason when that ends first. */
  whenEmpty(signal?: AbortSignal): Promise<void> {
    return this.#queue.whenEmpty(signal);
  }

  async #send(
    agent: Pick<AgentClient, "scriptCompleted">,
    timing: MessageInitShape<typeof TimingSchema>,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await agent.scriptCompleted({ timing }, { signal, timeoutMs: this.#reportTimeoutMs });
    } catch (error) {
      throwIfRunEnds(error, signal);
      const isUnanswered = failureKind(error) === "unanswered";
      if (isUnanswered) await unlessConnectionEnds(signal);
      this.#drops.count(isUnanswered ? "unanswered" : "refused");
      this.#onWarning(`script-timings: one was dropped: ${errorText(error)}`);
    }
  }
}
