import { timestampNow } from "@bufbuild/protobuf/wkt";
import { LifecycleState } from "../client/index-node.js";
import { ReportQueue } from "../client/senders/report-queue.js";

/** The states of an agent, in the order in which they can come. C4.33. */
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

/** Where an agent is in its life, and what of it is still to be reported. */
export class Lifecycle {
  readonly reports = new ReportQueue<{ state: LifecycleState; changedAt: ReturnType<typeof timestampNow> }>(
    states.length,
  );
  readonly #onChange: (state: LifecycleName) => void;
  #state: LifecycleName = "created";

  constructor(onChange: (state: LifecycleName) => void) {
    this.#onChange = onChange;
  }

  get state(): LifecycleName {
    return this.#state;
  }

  /** Goes on to a later state, and reports it with the time; an earlier one is passed over. */
  advance(state: LifecycleName): void {
    const index = states.indexOf(state);
    if (index <= states.indexOf(this.#state)) return;
    this.#state = state;
    // on the wire the states have the same order, and `created` is 1
    this.reports.push({
      state: (LifecycleState.CREATED + index) as LifecycleState,
      changedAt: timestampNow(),
    });
    this.#onChange(state);
  }
}
