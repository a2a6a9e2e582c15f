import type { MessageInitShape } from "@bufbuild/protobuf";
import type { StatsSchema, UpdateStatsResponse } from "../../gen/coder/agent/v2/agent_pb.js";
import { errorText } from "../../rpc/error-text.js";
import { WaitingLine } from "../../transport/waiting-line.js";
import { waitOf } from "../durations.js";
import { pause } from "../pause.js";
import { unlessAborted } from "../until-aborted.js";
import { type DropCounts, Drops } from "./drops.js";
import { msOption } from "./intervals.js";
import { failureKind } from "./report-failure.js";
import type { AgentClient, Sender } from "./sender.js";
import { SenderRuns } from "./sender-runs.js";

/** What an agent tells of its traffic, as a message or the parts of one. */
export type StatsInit = MessageInitShape<typeof StatsSchema>;

/** How a {@link StatsSender} behaves. */
export interface StatsSenderOptions {
  /**
   * Gives the counters since it was last asked; with −0.001 as the latency where there is none (C4.51). When it
   * throws, that report is left out. The signal ends with the connection.
   */
  collect(signal: AbortSignal): StatsInit | Promise<StatsInit>;
  /** The time between reports where the server says none, in milliseconds; 5 min by default. C4.1. */
  defaultIntervalMs?: number;
  /** The least time between reports, whatever the server says, in milliseconds; 1 s by default. */
  minIntervalMs?: number;
  /** How long a report may take, in milliseconds; 30 s by default. */
  reportTimeoutMs?: number;
  /** Told of reports that are left out or dropped on a connection that lives on. */
  onWarning?(text: string): void;
}

/**
 * Reports stats as often as the server wants: on each connection first a call without stats, which asks for the
 * interval (C4.49), then one report after each interval. Counters would be counted twice if they arrived twice, so
 * those of a failed report are lost, and counted as `report_failed` (C4.53); one over the connection's limit as
 * `too_large`.
 */
export class StatsSender implements Sender {
  readonly name = "stats";
  readonly #runs = new SenderRuns(this.name);
  readonly #drops = new Drops();
  readonly #collect: StatsSenderOptions["collect"];
  readonly #defaultIntervalMs: number;
  readonly #minIntervalMs: number;
  readonly #reportTimeoutMs: number;
  readonly #onWarning: (text: string) => void;
  readonly #waitingForEmpty = new WaitingLine<void>();
  #pending = 0;

  /** @throws RangeError when an option is out of range. */
  constructor(options: StatsSenderOptions) {
    this.#collect = options.collect;
    this.#defaultIntervalMs = msOption("defaultIntervalMs", options.defaultIntervalMs, 300_000);
    this.#minIntervalMs = msOption("minIntervalMs", options.minIntervalMs, 1000);
    this.#reportTimeoutMs = msOption("reportTimeoutMs", options.reportTimeoutMs, 30_000);
    this.#onWarning = (text) => options.onWarning?.(text);
  }

  /** 1 while a report is under way. */
  get pending(): number {
    return this.#pending;
  }

  get dropped(): DropCounts {
    return this.#drops.byReason;
  }

  /**
   * Reports over a connection.
   * @returns when the server does not have the RPC.
   * @throws the signal's reason; why a report failed (C4.53); Error when a run is under way.
   */
  run(agent: Pick<AgentClient, "updateStats">, signal: AbortSignal): Promise<void> {
    return this.#runs.run(signal, async () => {
      const first = await agent.updateStats({}, { signal, timeoutMs: this.#reportTimeoutMs });
      let intervalMs = this.#intervalOf(first);
      for (;;) {
        await pause(intervalMs, signal);
        const stats = await this.#collected(signal);
        if (stats === undefined) continue;
        const reply = await this.#report(agent, stats, signal);
        if (reply !== undefined) intervalMs = this.#intervalOf(reply);
      }
    });
  }

  /** Resolves once no report is under way. @throws the signal's reason when that ends first. */
  async whenEmpty(signal?: AbortSignal): Promise<void> {
    if (this.#pending > 0) await this.#waitingForEmpty.wait(signal);
  }

  /** @returns undefined when there are none. */
  async #collected(signal: AbortSignal): Promise<StatsInit | undefined> {
    const late = () => this.#drops.count("report_failed");
    try {
      const collecting = Promise.resolve(this.#collect(signal));
      return await unlessAborted(collecting, signal, late);
    } catch (error) {
      signal.throwIfAborted();
      this.#onWarning(`stats: they could not be collected: ${errorText(error)}`);
      return undefined;
    }
  }

  async #report(
    agent: Pick<AgentClient, "updateStats">,
    stats: StatsInit,
    signal: AbortSignal,
  ): Promise<UpdateStatsResponse | undefined> {
    this.#pending = 1;
    try {
      return await agent.updateStats({ stats }, { signal, timeoutMs: this.#reportTimeoutMs });
    } catch (error) {
      const isTooLarge = failureKind(error) === "unsendable";
      this.#drops.count(isTooLarge ? "too_large" : "report_failed");
      if (!isTooLarge) throw error;
      this.#onWarning(`stats: ${errorText(error)}`);
      return undefined;
    } finally {
      this.#pending = 0;
      this.#waitingForEmpty.serveAll();
    }
  }

  #intervalOf({ reportInterval }: UpdateStatsResponse): number {
    return Math.max(this.#minIntervalMs, waitOf(reportInterval) ?? this.#defaultIntervalMs);
  }
}
