import type { MessageInitShape } from "@bufbuild/protobuf";
import { encodeUtf8 } from "../../codec/index.js";
import type { MetadataSchema } from "../../gen/coder/agent/v2/agent_pb.js";
import { errorText } from "../../rpc/error-text.js";
import { pause } from "../pause.js";
import { type DropCounts, Drops } from "./drops.js";
import { boundOption, msOption } from "./intervals.js";
import { LatestValues } from "./latest-values.js";
import { failureKind } from "./report-failure.js";
import { cutText, textField, timeField } from "./report-fields.js";
import type { AgentClient, Sender } from "./sender.js";
import { SenderRuns } from "./sender-runs.js";

/** What was collected for a key of metadata. */
export interface MetadataValue {
  /** Over 10,240 UTF-8 bytes it is cut, and the error says so. C4.40. */
  value: string;
  /** Empty by default, for success. Cut at 10,240 bytes, too. */
  error?: string;
  /** Now by default. Servers take the time of arrival instead. C4.43. */
  collectedAt?: Date;
}

/** How a {@link MetadataSender} behaves. */
export interface MetadataSenderOptions {
  /** The values of so many keys may wait at a time; 256 by default. */
  maxKeys?: number;
  /** How long values are gathered before they are reported together, in milliseconds; 1 s by default. C4.42. */
  reportIntervalMs?: number;
  /** How long a report may take, in milliseconds; 30 s by default. C4.42. */
  reportTimeoutMs?: number;
  /** Told of values that are dropped. */
  onWarning?(text: string): void;
}

/** C4.40. */
const maxTextBytes = 10_240;
/** Servers refuse more bytes of keys in one request. */
const maxKeyBytes = 6144;
const maxBatchBytes = 1_048_576;

type Entry = MessageInitShape<typeof MetadataSchema> & { keyBytes: number; bytes: number };

/**
 * Reports values of metadata: all keys that have a new value in one call, the latest value of each, one call at a time
 * (C4.42). Values whose report fails are sent again on the next connection unless there are newer ones by then, so
 * they may arrive twice. Dropped are values that a newer one replaces (`superseded`), those of more keys than may wait
 * (`too_many_keys`), and those of a report that is over the connection's limit (`too_large`).
 */
export class MetadataSender implements Sender {
  readonly name = "metadata";
  readonly #runs = new SenderRuns(this.name);
  readonly #drops = new Drops();
  readonly #values: LatestValues<Entry>;
  readonly #reportIntervalMs: number;
  readonly #reportTimeoutMs: number;
  readonly #onWarning: (text: string) => void;

  /** @throws RangeError when an option is out of range. */
  constructor(options: MetadataSenderOptions = {}) {
    this.#values = new LatestValues(boundOption("maxKeys", options.maxKeys, 256), this.#drops);
    this.#reportIntervalMs = msOption("reportIntervalMs", options.reportIntervalMs, 1000);
    this.#reportTimeoutMs = msOption("reportTimeoutMs", options.reportTimeoutMs, 30_000);
    this.#onWarning = (text) => options.onWarning?.(text);
  }

  /** Keys with a value that is not reported yet. */
  get pending(): number {
    return this.#values.size;
  }

  get dropped(): DropCounts {
    return this.#drops.byReason;
  }

  /**
   * Takes a new value of a key. NULs in the texts are left out.
   * @returns false when the values of too many other keys wait; this one is dropped then.
   * @throws RangeError when the key has more than 6,144 bytes; TypeError when something is no text or no valid time.
   */
  set(key: string, { value, error = "", collectedAt = new Date() }: MetadataValue): boolean {
    textField("a metadata key", key, maxKeyBytes);
    for (const text of [value, error]) textField("a metadata value or error", text);
    const cutValue = cutText(withoutNul(value), maxTextBytes);
    const errors = [cutText(withoutNul(error), maxTextBytes).text];
    if (cutValue.bytes > maxTextBytes) {
      errors.push(`output truncated from ${cutValue.bytes} to ${maxTextBytes} bytes`);
    }
    const errorText = errors.filter((text) => text !== "").join("\n");
    const keyBytes = encodeUtf8(key).length;
    const result = {
      value: cutValue.text,
      error: errorText,
      collectedAt: timeField("the time of a metadata value", collectedAt),
    };
    const bytes = keyBytes + encodeUtf8(cutValue.text).length + encodeUtf8(errorText).length + 64;
    const isTaken = this.#values.set(key, { key, result, keyBytes, bytes });
    if (!isTaken) this.#drops.count("too_many_keys");
    return isTaken;
  }

  /**
   * Reports over a connection what is not reported yet, and what comes.
   * @returns when the server does not have the RPC; the values stay for another.
   * @throws the signal's reason; why a report failed (C4.14); Error when a run is under way.
   */
  run(agent: Pick<AgentClient, "batchUpdateMetadata">, signal: AbortSignal): Promise<void> {
    return this.#runs.run(signal, async () => {
      for (;;) {
        await this.#values.whenSome(signal);
        await pause(this.#reportIntervalMs, signal);
        await this.#report(agent, signal);
      }
    });
  }

  /** Resolves once nothing waits to be sent. @throws the signal's reason when that ends first. */
  whenEmpty(signal?: AbortSignal): Promise<void> {
    return this.#values.whenEmpty(signal);
  }

  async #report(agent: Pick<AgentClient, "batchUpdateMetadata">, signal: AbortSignal): Promise<void> {
    const batch = batchOf(this.#values.entries());
    const metadata = [...batch.values()].map(({ key, result }) => ({ key, result }) as Entry);
    const isTooLarge = (error: unknown) => failureKind(error) === "unsendable";
    try {
      await this.#values.send(
        batch,
        () => agent.batchUpdateMetadata({ metadata }, { signal, timeoutMs: this.#reportTimeoutMs }),
        (error) => (isTooLarge(error) ? "too_large" : undefined),
      );
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      this.#onWarning(`metadata: ${errorText(error)}`);
    }
  }
}

/** As many as one request may have; one at least. */
function batchOf(entries: Iterable<[string, Entry]>): Map<string, Entry> {
  const batch = new Map<string, Entry>();
  let keyBytes = 0;
  let bytes = 0;
  for (const [key, entry] of entries) {
    keyBytes += entry.keyBytes;
    bytes += entry.bytes;
    if (batch.size > 0 && (keyBytes > maxKeyBytes || bytes > maxBatchBytes)) break;
    batch.set(key, entry);
  }
  return batch;
}

/** Databases of servers cannot hold it. */
function withoutNul(text: string): string {
  return text.replaceAll("\0", "");
}
