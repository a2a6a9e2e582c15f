import type { AppState } from "../store/index.js";

/** Something that a person should be told. S3.57, S3.73, S3.74. */
export interface Notification {
  kind: "task_working" | "task_idle" | "task_completed" | "task_failed" | "out_of_memory" | "out_of_disk";
  /** Whom to tell. */
  receiverId: string;
  /** For the text: `task`, `workspace`, `threshold`. */
  labels: Readonly<Record<string, string>>;
  /** For the text, and to tell notifications apart. */
  data: Readonly<Record<string, unknown>>;
  createdBy: "api-workspace-agent-app-status" | "workspace-monitor-memory" | "workspace-monitor-volumes";
  /** What it is about: workspace, owner, organization, and for a task its app. */
  targets: readonly string[];
}

/** Tells people. */
export interface Notifications {
  /** Takes a notification, to be sent. What it throws is logged, and fails an RPC only where S3 says so. */
  send(notification: Notification): Promise<void>;
}

/** What agents and their apps do: for control planes that stop what nobody uses. */
export interface Activity {
  /** Somebody is connected to the agent. S3.33. */
  onConnections?(who: { workspaceId: string; agentId: string }): void | Promise<void>;
  /** An app works, or has just ended its work. S3.58. */
  onAppStatus?(who: {
    workspaceId: string;
    agentId: string;
    appId: string;
    state: AppState;
  }): void | Promise<void>;
}

/** What fields of a log line may be. */
export type LogFields = Readonly<Record<string, string | number | boolean>>;

/** Where log lines go. */
export interface Logger {
  /** For whoever looks for something. */
  debug(message: string, fields?: LogFields): void;
  /** Boundary decisions, among others. */
  info(message: string, fields?: LogFields): void;
  /** Something is not as it should be, and gets along. */
  warn(message: string, fields?: LogFields): void;
  /** Something was lost. */
  error(message: string, fields?: LogFields): void;
}

/** A logger that keeps silent. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Names of counters. S8. */
export type CounterName =
  | "coderd_agentapi_metadata_batches_total"
  | "coderd_agentapi_metadata_flushed_total"
  | "coderd_agentapi_metadata_dropped_keys_total";

/** Names of histograms. S8. */
export type HistogramName =
  | "coderd_agents_first_connection_seconds"
  | "coderd_template_workspace_build_duration_seconds"
  | "coderd_agentapi_metadata_batch_utilization"
  | "coderd_agentapi_metadata_batch_size"
  | "coderd_agentapi_metadata_flush_duration_seconds"
  | "coderd_api_websocket_durations_seconds";

/** Names of gauges. S8. */
export type GaugeName = "coderd_api_concurrent_websockets";

/** Labels of a metric. */
export type MetricLabels = Readonly<Record<string, string>>;

/** Where numbers go. */
export interface Metrics {
  /** Adds to a counter. */
  count(name: CounterName, by: number, labels?: MetricLabels): void;
  /** Adds to a gauge; a negative number takes away. */
  gauge(name: GaugeName, by: number, labels?: MetricLabels): void;
  /** Adds an observation to a histogram. */
  observe(name: HistogramName, value: number, labels?: MetricLabels): void;
}

/** Metrics that go nowhere. */
export const noMetrics: Metrics = { count() {}, gauge() {}, observe() {} };

/** Runs a hook of the implementer's; what it throws is logged and goes no further. */
export async function runHook(log: Logger, what: string, hook: () => void | Promise<void>): Promise<void> {
  try {
    await hook();
  } catch (error) {
    log.error(`${what} failed`, { error: error instanceof Error ? error.message : String(error) });
  }
}
