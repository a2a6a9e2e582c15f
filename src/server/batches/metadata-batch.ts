import type { AgentStore, MetadataUpdate } from "../../store/index.js";
import type { Events } from "../events/index.js";
import type { Logger, Metrics } from "../hooks.js";
import { Batch, type FlushReason } from "./batch.js";

/** Five batches may wait; one is so large; one leaves so often. S3.63. */
const limits = { maxWaiting: 2500, fullAt: 500, intervalMs: 5_000 };

/** A full batch is told of at most so often. */
const warningIntervalMs = 10_000;

/** What the batch works with. */
export interface MetadataBatchDeps {
  store: Pick<AgentStore, "updateMetadata">;
  events: Events;
  log: Logger;
  metrics: Metrics;
  /** How often values are stored, in milliseconds. 5,000 by default. */
  intervalMs?: number | undefined;
}

/** Values of metadata of all agents: the last of each key is stored, every few seconds. S3.63–S3.65. */
export class MetadataBatch {
  readonly #deps: MetadataBatchDeps;
  readonly #batch: Batch<MetadataUpdate>;
  #lastWarningMs = Number.NEGATIVE_INFINITY;

  constructor(deps: MetadataBatchDeps) {
    this.#deps = deps;
    this.#batch = new Batch<MetadataUpdate>({
      ...limits,
      intervalMs: deps.intervalMs ?? limits.intervalMs,
      keyOf: ({ agentId, key }) => `${agentId} ${key}`,
      replaces: (entry, waiting) => entry.collectedAtUs >= waiting.collectedAtUs,
      flush: (entries, reason) => this.#store(entries, reason),
      onLost: (count, error) => this.#lost(count, error),
    });
  }

  /** Takes values. Those for which there is no room are dropped. */
  add(updates: readonly MetadataUpdate[]): void {
    for (const update of updates) this.#batch.add(update);
  }

  /** Stores what waits. */
  flush(): Promise<void> {
    return this.#batch.flush();
  }

  /** Stores what waits and takes no more. */
  close(): Promise<void> {
    return this.#batch.close();
  }

  async #store(entries: readonly MetadataUpdate[], reason: FlushReason): Promise<void> {
    const { store, events, metrics } = this.#deps;
    const perAgent = new Map<string, number>();
    for (const { agentId } of entries) perAgent.set(agentId, (perAgent.get(agentId) ?? 0) + 1);
    for (const keys of perAgent.values()) metrics.observe("coderd_agentapi_metadata_batch_utilization", keys);
    const begin = performance.now();
    await store.updateMetadata(entries);
    const labels = { reason };
    metrics.observe(
      "coderd_agentapi_metadata_flush_duration_seconds",
      (performance.now() - begin) / 1000,
      labels,
    );
    metrics.observe("coderd_agentapi_metadata_batch_size", entries.length);
    metrics.count("coderd_agentapi_metadata_batches_total", 1, labels);
    metrics.count("coderd_agentapi_metadata_flushed_total", entries.length);
    events.publish({ topic: "metadata", agentIds: [...perAgent.keys()] });
  }

  #lost(count: number, error: unknown): void {
    const { log, metrics } = this.#deps;
    if (error !== undefined) {
      log.error("metadata could not be stored", { count, error: String(error) });
      return;
    }
    metrics.count("coderd_agentapi_metadata_dropped_keys_total", count);
    const nowMs = performance.now();
    if (nowMs - this.#lastWarningMs < warningIntervalMs) return;
    this.#lastWarningMs = nowMs;
    log.warn("metadata is dropped: more comes than can be stored");
  }
}
