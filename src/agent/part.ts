import type { AgentConnection, LogSender, Manifest, Sender, StatsMetricType } from "../client/index-node.js";
import type { AgentEvent } from "./events.js";
import type { ScriptFolder } from "./scripts/script-folder.js";
import type { Workplace } from "./workspace/workplace.js";

/** How something that every agent does at its start or its end has ended. */
export type StageEnd = "ok" | "error" | "timeout";

/** One number that an agent measures of itself, in the manner of Prometheus. */
export interface AgentMetric {
  name: string;
  type: StatsMetricType;
  value: number;
  labels: readonly { name: string; value: string }[];
}

/** What a part has of the agent that it belongs to. */
export interface AgentHost {
  /** The control plane. */
  readonly url: string;
  /** The agent's token. */
  token(signal: AbortSignal): Promise<string>;
  /** Takes log lines of any source. */
  readonly logs: LogSender;
  /** Where scripts find programs, and keep data. */
  readonly scriptFolder: ScriptFolder;
  /** The latest manifest; undefined before the first. */
  readonly manifest: Manifest | undefined;
  /** What commands run with; undefined before the first manifest. */
  readonly workplace: Workplace | undefined;
  /** Ends when the agent begins to stop: what only serves a workspace in use ends with it. C4.2. */
  readonly inUse: AbortSignal;
  /** Sets a variable that all commands have, over those of the manifest. C4.84. */
  setEnvironment(name: string, value: string): void;
  /** What all parts measure. */
  metrics(): AgentMetric[];
  /** Says something to whoever runs the agent. */
  tell(event: AgentEvent): void;
}

/** Something that an agent does. All of it is optional: an agent calls what is there, in the order of its parts. */
export interface AgentPart {
  /** For events and errors. */
  readonly name: string;

  /** Kept going over all connections; what they have left at the end is sent. */
  readonly senders?: readonly Sender[];

  /** Once, before the first dial. When it fails the agent says so, and runs without this part. C4.3. */
  open?(): void | Promise<void>;

  /** With each manifest, before anything is done with it. A failure is told; the agent goes on. C4.29. */
  onManifest?(manifest: Manifest, workplace: Workplace): void | Promise<void>;

  /**
   * Once, with the first manifest: what has to be done before the workspace is ready. All parts at the same time.
   * @param signal ends when the agent begins to stop.
   */
  begin?(signal: AbortSignal): Promise<StageEnd | undefined>;

  /** Once, when all parts have begun, however that has ended. */
  onBegun?(): void | Promise<void>;

  /**
   * With each connection, after its manifest, for as long as the connection is in use. When it fails the connection
   * is given up; what the server does not have is left alone.
   * @param signal ends with the connection, and when the agent begins to stop.
   */
  onConnection?(connection: AgentConnection, signal: AbortSignal): Promise<void>;

  /** Once, at the end, if it has begun: what is done before the agent is off. */
  end?(): Promise<StageEnd | undefined>;

  /** Once, last of all; what senders have left is still sent. */
  close?(): void | Promise<void>;

  /** What it measures. */
  metrics?(): AgentMetric[];
}

/** Makes a part for an agent, anew for each life of it. */
export type MakePart = (host: AgentHost) => AgentPart;
