import type { MessageInitShape } from "@bufbuild/protobuf";
import type { TelemetryEventSchema } from "../../gen/coder/tailnet/v2/tailnet_pb.js";
import { errorText } from "../../rpc/error-text.js";
import { WaitingLine } from "../../transport/waiting-line.js";
import { type DropCounts, Drops } from "../senders/drops.js";
import { endsRun, throwIfRunEnds } from "../senders/report-failure.js";
import type { TailnetNotice } from "./notices.js";
import type { TailnetClient, Work } from "./shared-fate.js";

/** An event, as callers write it. */
export type TelemetryEventInit = MessageInitShape<typeof TelemetryEventSchema>;

const maxQueued = 1000;
/** An event may bring a relay map and a network report: far fewer than a message has room for. */
const maxPerCall = 20;
/** C9.9. */
const callTimeoutMs = 5000;

/** Events that are told while there is somebody to tell them, each at most once. They never end a connection. C9.9. */
export class Telemetry implements Work {
  readonly #onNotice: (notice: TailnetNotice) => void;
  readonly #drops = new Drops();
  readonly #waitingForEvents = new WaitingLine<void>();
  #queue: TelemetryEventInit[] = [];
  #isOn = false;

  constructor(onNotice: (notice: TailnetNotice) => void) {
    this.#onNotice = onNotice;
  }

  get dropped(): DropCounts {
    return this.#drops.byReason;
  }

  report(event: TelemetryEventInit): void {
    if (!this.#isOn) this.#drops.count("not_taken");
    else if (this.#queue.length >= maxQueued) this.#drops.count("queue_full");
    else {
      this.#queue.push(event);
      this.#waitingForEvents.serve();
    }
  }

  /** Tells of events as they come. @returns when the server takes none, or the connection ends. */
  async over(tailnet: TailnetClient, signal: AbortSignal): Promise<void> {
    this.#isOn = true;
    try {
      for (;;) {
        if (this.#queue.length === 0) await this.#waitingForEvents.wait(signal);
        signal.throwIfAborted();
        await this.#tell(tailnet, this.#queue.splice(0, maxPerCall), signal);
      }
    } catch (error) {
      if (!endsRun(error, signal)) throw error;
    } finally {
      this.#isOn = false;
      this.#drops.count("not_taken", this.#queue.length);
      this.#queue = [];
    }
  }

  /** @throws what means that no further call makes sense. */
  async #tell(tailnet: TailnetClient, events: TelemetryEventInit[], signal: AbortSignal): Promise<void> {
    try {
      await tailnet.postTelemetry({ events }, { signal, timeoutMs: callTimeoutMs });
    } catch (error) {
      this.#drops.count("not_taken", events.length);
      throwIfRunEnds(error, signal);
      this.#onNotice({ level: "warning", text: `post telemetry: ${errorText(error)}` });
    }
  }
}
