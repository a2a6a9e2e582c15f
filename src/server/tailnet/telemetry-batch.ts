import { toJson } from "@bufbuild/protobuf";
import { formatUuid } from "../../codec/index.js";
import { TelemetryEventCodec } from "../../gen/coder/tailnet/v2/tailnet_codec.js";
import { type TelemetryEvent, TelemetryEventSchema } from "../../gen/coder/tailnet/v2/tailnet_pb.js";
import { errorText } from "../../rpc/error-text.js";
import type { TelemetryRecord } from "../../store/index.js";
import { Batch } from "../batches/batch.js";
import { within } from "../engines/waits.js";
import { type Logger, runHook } from "../hooks.js";

/** Where events of network clients go. */
export interface TelemetrySink {
  /**
   * Takes events, at most 1,000, in the order in which they came. One call at a time; those that it fails to take are
   * logged, and lost.
   */
  send(records: readonly TelemetryRecord[]): void | Promise<void>;
  /** A user's client has connected, or is gone again. By default nobody is told. What it throws is logged. S4.31. */
  onUserConnection?(record: UserConnectionRecord): void | Promise<void>;
}

/** A connection of a user's client to the tailnet: told when it begins, and again when it has ended. S4.31. */
export interface UserConnectionRecord extends DesktopTelemetry {
  userId: string;
  /** What the client is to the coordinator. */
  peerId: string;
  /** Microseconds since 1970. */
  connectedAtUs: number;
  /** Undefined while it is connected. */
  disconnectedAtUs?: number | undefined;
}

/** What a desktop client says of itself; what it does not say is not there. */
export interface DesktopTelemetry {
  deviceId?: string;
  deviceOs?: string;
  desktopVersion?: string;
}

/** Who sent events. */
export interface TelemetrySender {
  agentId: string | undefined;
  userId: string | undefined;
  peerId: string;
}

/** What the batch works with. */
export interface TelemetryBatchDeps {
  sink: TelemetrySink;
  log: Logger;
  /** Microseconds since 1970. */
  nowUs: () => number;
}

/** S4.7. */
const limits = { fullAt: 1_000, intervalMs: 60_000, maxWaiting: 10_000 };

/** Events that wait may have so many bytes. */
const maxWaitingBytes = 32 * 1024 * 1024;

/** The end waits so long for the sink. S4.7. */
const closeTimeoutMs = 5_000;

interface Waiting {
  record: TelemetryRecord;
  sizeBytes: number;
}

/**
 * Collects events of network clients for a sink: it gets them when 1,000 are there, every minute, and at the end. While
 * it is slow 10,000 wait, and more are dropped. S4.7, S4.8.
 */
export class TelemetryBatch {
  readonly #deps: TelemetryBatchDeps;
  readonly #batch: Batch<Waiting>;
  readonly #hooks = new Set<Promise<void>>();
  #waitingBytes = 0;
  #droppedCount = 0;
  #isDropping = false;
  #isClosed = false;

  constructor(deps: TelemetryBatchDeps) {
    this.#deps = deps;
    this.#batch = new Batch<Waiting>({ ...limits, flush: (entries) => this.#send(entries) });
  }

  /** Events that were dropped because the sink was slow. */
  get droppedCount(): number {
    return this.#droppedCount;
  }

  /** Takes events. Those without an id, and those that cannot be written as JSON, are dropped. S4.8. */
  add(events: readonly TelemetryEvent[], sender: TelemetrySender): void {
    if (this.#isClosed) return;
    let malformed = 0;
    for (const event of events) {
      const record = this.#recordOf(event, sender);
      if (record === undefined) malformed++;
      else this.#add({ record, sizeBytes: TelemetryEventCodec.encode(event).length });
    }
    if (malformed === 0) return;
    this.#deps.log.warn("telemetry events are malformed, and dropped", {
      count: malformed,
      peerId: sender.peerId,
    });
  }

  /** Tells of a connection of a user's client: when it begins, and when it has ended. Never throws. */
  userConnected(record: UserConnectionRecord): void {
    const { sink, log } = this.#deps;
    if (this.#isClosed || sink.onUserConnection === undefined) return;
    const hook = runHook(log, "telemetry of a user's connection", () => sink.onUserConnection?.(record));
    this.#hooks.add(hook);
    void hook.finally(() => this.#hooks.delete(hook));
  }

  /** Hands over what waits, now. */
  flush(): Promise<void> {
    return this.#batch.flush();
  }

  /** Hands over what waits, for 5 s at most; what comes later is dropped. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const hooks = within(Promise.all(this.#hooks), closeTimeoutMs, "the end of hooks");
    // those that take longer are given up
    await Promise.all([this.#batch.close(closeTimeoutMs), hooks.catch(() => {})]);
  }

  #recordOf(event: TelemetryEvent, sender: TelemetrySender): TelemetryRecord | undefined {
    const id = formatUuid(event.id);
    if (id === undefined) return undefined;
    try {
      const json = toJson(TelemetryEventSchema, event);
      return { id, ...sender, receivedAtUs: this.#deps.nowUs(), event: json };
    } catch {
      // a time that is none, for one
      return undefined;
    }
  }

  #add(entry: Waiting): void {
    const isTooMuch = this.#waitingBytes + entry.sizeBytes > maxWaitingBytes;
    this.#waitingBytes += entry.sizeBytes;
    if (!isTooMuch && this.#batch.add(entry)) return;
    this.#waitingBytes -= entry.sizeBytes;
    this.#droppedCount++;
    if (this.#isDropping) return;
    this.#isDropping = true;
    this.#deps.log.warn("telemetry is dropped: more comes than can be sent", {
      waiting: this.#batch.size,
      droppedSoFar: this.#droppedCount,
    });
  }

  /** Never fails: what is lost is lost. */
  async #send(entries: readonly Waiting[]): Promise<void> {
    for (let at = 0; at < entries.length; at += limits.fullAt) {
      const part = entries.slice(at, at + limits.fullAt);
      try {
        await this.#deps.sink.send(part.map(({ record }) => record));
      } catch (error) {
        this.#deps.log.error("telemetry is lost", { count: part.length, error: errorText(error) });
      }
      for (const { sizeBytes } of part) this.#waitingBytes -= sizeBytes;
    }
    this.#isDropping = false;
  }
}
