import { type Timestamp, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Lifecycle_State } from "../../gen/coder/agent/v2/agent_pb.js";
import { type DropCounts, Drops } from "./drops.js";
import { msOption } from "./intervals.js";
import { timeField } from "./report-fields.js";
import { ReportQueue } from "./report-queue.js";
import type { AgentClient, Sender } from "./sender.js";
import { SenderRuns } from "./sender-runs.js";

/** The states of an agent, in the order in which they can come and in which the wire numbers them, from 1. C4.33. */
const states = [
  "created",
  "starting",
  "start_timeout",
  "start_error",
  "ready",
  "shutting_down",
  "shutdown_timeout",
  "shutdown_error",
  "off",
] as const;

/** A state of an agent. */
export type LifecycleName = (typeof states)[number];

/** How a {@link LifecycleSender} behaves. */
export interface LifecycleSenderOptions {
  /** How long a report may take, in milliseconds; 30 s by default. */
  reportTimeoutMs?: number;
  /** Told of states that are passed over. */
  onWarning?(text: string): void;
}

/**
 * Reports the states of an agent's life: each once, in order, one call each, with the time it was entered (C4.34). One
 * whose report fails stays first and is sent again at once on the next connection; so a state arrives twice only where
 * an answer was lost. None is ever dropped: there are no more than eight.
 */
export class LifecycleSender implements Sender {
  readonly name = "lifecycle";
  readonly #runs = new SenderRuns(this.name);
  readonly #drops = new Drops();
  readonly #queue = new ReportQueue<{ state: Lifecycle_State; changedAt: Timestamp }>(states.length);
  readonly #reportTimeoutMs: number;
  readonly #onWarning: (text: string) => void;
  #state: LifecycleName = "created";
  #changedAt: Date | undefined;

  /** @throws RangeError when an option is out of range. */
  constructor(options: LifecycleSenderOptions = {}) {
    this.#reportTimeoutMs = msOption("reportTimeoutMs", options.reportTimeoutMs, 30_000);
    this.#onWarning = (text) => options.onWarning?.(text);
  }

  /** Where the agent is. `created` to begin with, which is never sent. */
  get state(): LifecycleName {
    return this.#state;
  }

  /** States that are not reported yet. */
  get pending(): number {
    return this.#queue.length;
  }

  /** Always empty. */
  get dropped(): DropCounts {
    return this.#drops.byReason;
  }

  /**
   * Goes on to a later state.
   * @param at when it was entered; now by default. A time before that of the last state becomes that one's.
   * @returns false when the agent is in that state or a later one; nothing is done then. C4.33.
   * @throws TypeError when there is no such state, or the time is no valid one.
   */
  advance(state: LifecycleName, at: Date = new Date()): boolean {
    const index = states.indexOf(state);
    if (index < 0) throw new TypeError(`a lifecycle state is one of ${states.join(", ")}, and not ${state}`);
    timeField("the time of a lifecycle state", at);
    if (index <= states.indexOf(this.#state)) {
      this.#onWarning(`lifecycle: the agent is ${this.#state}, so ${state} is passed over`);
      return false;
    }
    // clocks are set back now and then; a life goes on
    if (this.#changedAt === undefined || at > this.#changedAt) this.#changedAt = new Date(at);
    this.#state = state;
    this.#queue.push({ state: index + 1, changedAt: timestampFromDate(this.#changedAt) });
    return true;
  }

  /**
   * Reports over a connection what is not reported yet, and what comes.
   * @returns when the server does not have the RPC; the states stay for another.
   * @throws the signal's reason; why a report failed (C4.13); Error when a run is under way.
   */
  run(agent: Pick<AgentClient, "updateLifecycle">, signal: AbortSignal): Promise<void> {
    const call = { signal, timeoutMs: this.#reportTimeoutMs };
    return this.#runs.run(signal, () =>
      this.#queue.run((lifecycle) => agent.updateLifecycle({ lifecycle }, call), signal),
    );
  }

  /** Resolves once all states are reported. @throws the signal's reason when that ends first. */
  whenEmpty(signal?: AbortSignal): Promise<void> {
    return this.#queue.whenEmpty(signal);
  }
}
