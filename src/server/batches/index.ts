import type { AgentStore, ConnectionReport, ConnectionUpdate, StatsRecord } from "../../store/index.js";
import type { Events } from "../events/index.js";
import type { Logger, Metrics } from "../hooks.js";
import { Batch } from "./batch.js";
import { GroupWrite } from "./group-write.js";
import { MetadataBatch } from "./metadata-batch.js";

/** What need not be stored at once, or is stored in company. S9.3. */
export interface Batches {
  metadata: MetadataBatch;
  /** At most 1,024 wait; they are stored each second, or when four fifths are there. S3.31. */
  stats: Batch<StatsRecord>;
  /** Stored every five seconds, or when 1,000 are there. S3.90. */
  connectionReports: Batch<ConnectionReport>;
  /** Workspaces that somebody uses; stored each minute. S3.31. */
  used: Batch<string>;
  /** When agents were seen: whoever writes waits for it. */
  connections: GroupWrite<ConnectionUpdate>;
  /** Stores all that waits, now. */
  flush(): Promise<void>;
  /** Stores what waits and takes no more. */
  close(): Promise<void>;
}

/** What batches work with. */
export interface BatchDeps {
  store: AgentStore;
  events: Events;
  log: Logger;
  metrics: Metrics;
  nowUs: () => number;
  /** How often metadata is stored, in milliseconds. 5,000 by default. */
  metadataIntervalMs?: number | undefined;
}

/** The batches of one control plane. */
export function createBatches(deps: BatchDeps): Batches {
  const { store, log } = deps;
  const lost = (what: string) => (count: number, error?: unknown) =>
    log.error(`${what} are lost`, { count, ...(error === undefined ? {} : { error: String(error) }) });
  const metadata = new MetadataBatch({ ...deps, intervalMs: deps.metadataIntervalMs });
  const stats = new Batch<StatsRecord>({
    maxWaiting: 1024,
    fullAt: 819,
    intervalMs: 1_000,
    flush: (entries) => store.insertStats(entries),
    onLost: lost("stats"),
  });
  const connectionReports = new Batch<ConnectionReport>({
    maxWaiting: 10_000,
    fullAt: 1_000,
    intervalMs: 5_000,
    flush: (entries) => store.insertConnectionReports(entries),
    onLost: lost("connection reports"),
  });
  const used = new Batch<string>({
    maxWaiting: 100_000,
    fullAt: 100_000,
    intervalMs: 60_000,
    keyOf: (workspaceId) => workspaceId,
    flush: (workspaceIds) => store.markUsed(workspaceIds, deps.nowUs()),
    onLost: lost("times of last use"),
  });
  const connections = new GroupWrite<ConnectionUpdate>((updates) => store.updateConnections(updates));
  const all = [metadata, stats, connectionReports, used];
  return {
    metadata,
    stats,
    connectionReports,
    used,
    connections,
    flush: async () => void (await Promise.all(all.map((batch) => batch.flush()))),
    close: async () => void (await Promise.all(all.map((batch) => batch.close()))),
  };
}
