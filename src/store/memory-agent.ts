import type {
  AgentRecord,
  AppRecord,
  AppStatusRecord,
  BoundaryLogRecord,
  BoundarySessionRecord,
  ContextSnapshotRecord,
  LogRecord,
  LogSourceRecord,
  ResourceMonitors,
  ResourceSample,
  ScriptTimingRecord,
  StatsRecord,
  TelemetryRecord,
} from "./records.js";
import {
  type LogsInserted,
  type MetadataUpdate,
  maxLogOutputCharacters,
  maxLogsLength,
  type NewLog,
} from "./store.js";
import type { AgentRows } from "./workspace-rows.js";

/** Of what has no limit of its own (statuses, stats, samples …) so many entries are kept for each agent. */
const recentEntries = 1000;

/** One agent: what was declared for it, and what it has reported. */
export class MemoryAgent {
  rows: AgentRows;
  readonly logs: LogRecord[] = [];
  readonly statuses = new Recent<AppStatusRecord>(recentEntries);
  readonly timings = new Recent<ScriptTimingRecord>(recentEntries);
  readonly stats = new Recent<StatsRecord>(recentEntries);
  readonly samples = new Recent<ResourceSample>(recentEntries);
  readonly boundarySessions = new Map<string, BoundarySessionRecord>();
  readonly boundaryLogs = new Recent<BoundaryLogRecord>(recentEntries);
  readonly telemetry = new Recent<TelemetryRecord>(recentEntries);
  context: ContextSnapshotRecord | undefined;

  constructor(rows: AgentRows) {
    this.rows = rows;
  }

  get agent(): AgentRecord {
    return this.rows.agent;
  }

  update(change: Partial<AgentRecord>): void {
    this.rows = { ...this.rows, agent: { ...this.rows.agent, ...change } };
  }

  updateApp(id: string, change: Partial<AppRecord>): void {
    const apps = this.rows.apps.map((app) => (app.id === id ? { ...app, ...change } : app));
    this.rows = { ...this.rows, apps };
  }

  updateMetadata({ key, value, error, collectedAtUs }: MetadataUpdate): void {
    const metadata = this.rows.metadata.map((row) =>
      row.key === key ? { ...row, value, error, collectedAtUs } : row,
    );
    this.rows = { ...this.rows, metadata };
  }

  /** The first registration of an id stays. */
  addLogSource(source: LogSourceRecord): void {
    if (this.rows.logSources.some(({ id }) => id === source.id)) return;
    this.rows = { ...this.rows, logSources: [...this.rows.logSources, source] };
  }

  /** State and debounce of those that are given; what is watched stays as it was declared. */
  updateMonitors({ memory, volumes }: ResourceMonitors): void {
    const { monitors } = this.rows;
    this.rows = {
      ...this.rows,
      monitors: {
        memory: monitors.memory && { ...monitors.memory, ...(memory && stateOf(memory)) },
        volumes: monitors.volumes.map((known) => {
          const update = volumes.find(({ path }) => path === known.path);
          return update === undefined ? known : { ...known, ...stateOf(update) };
        }),
      },
    };
  }

  /** @param nextId gives the ids of lines. */
  addLogs(
    logSourceId: string,
    createdAtUs: number,
    logs: readonly NewLog[],
    nextId: () => number,
  ): LogsInserted {
    const { id: agentId, logsLength } = this.agent;
    const length = logs.reduce((sum, { output }) => sum + utf8Length(output), logsLength);
    if (length > maxLogsLength) {
      this.update({ logsOverflowed: true });
      return { kind: "overflow" };
    }
    const added = logs.map(
      ({ level, output }): LogRecord => ({
        id: nextId(),
        agentId,
        createdAtUs,
        level,
        output: shortened(output),
        logSourceId,
      }),
    );
    this.logs.push(...added);
    this.update({ logsLength: length });
    return { kind: "stored", firstId: added[0]?.id ?? nextId(), wereFirst: logsLength === 0 };
  }
}

/** The last entries; older ones are forgotten, so that memory does not grow for ever. */
export class Recent<T> {
  readonly #limit: number;
  readonly #entries: T[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(entry: T): void {
    this.#entries.push(entry);
    // not at each entry, for moving them all costs
    if (this.#entries.length > 2 * this.#limit) this.#entries.splice(0, this.#entries.length - this.#limit);
  }

  /** The latest entries, oldest first. */
  latest(count = this.#limit): readonly T[] {
    return this.#entries.slice(-Math.min(count, this.#limit));
  }
}

function stateOf<T extends { state: unknown; debouncedUntilUs: unknown }>({ state, debouncedUntilUs }: T) {
  return { state, debouncedUntilUs } as Pick<T, "state" | "debouncedUntilUs">;
}

/** A line as it is kept: cut to {@link maxLogOutputCharacters}, not in the middle of one. S3.80. */
export function shortened(output: string): string {
  if (output.length <= maxLogOutputCharacters) return output;
  return [...output].slice(0, maxLogOutputCharacters).join("");
}

const encoder = new TextEncoder();

function utf8Length(text: string): number {
  return encoder.encode(text).length;
}
