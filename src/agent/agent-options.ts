import type {
  BackoffOptions,
  LifecycleName,
  LogSenderOptions,
  NodeDialOptions,
  SessionEnd,
  Subsystem,
} from "../client/index-node.js";
import type { AgentEvent } from "./events.js";
import type { MakePart } from "./part.js";
import type { AgentParts } from "./parts.js";
import type { SubAgents } from "./sub-agents/sub-agents.js";

/** How an agent is made. */
export interface AgentOptions {
  /** How the control plane is reached. Role and version are the agent's own. */
  dial: Omit<NodeDialOptions<"negotiate">, "role" | "version" | "signal">;

  /** What it reports as its own version. `v0.0.0` by default. */
  buildVersion?: string;

  /** What has prepared the machine. None by default. */
  subsystems?: readonly Subsystem[];

  /** Programs that scripts find on their `PATH`: by name, what to run, with arguments. None by default. */
  commands?: Readonly<Record<string, readonly string[]>>;

  /** What it does. All of it by default. */
  parts?: AgentParts;

  /** More that it does, of your own making. */
  more?: readonly MakePart[];

  /** How log lines are queued. */
  logs?: LogSenderOptions;

  /** How long to wait before dialling again. */
  backoff?: BackoffOptions;

  /**
   * How long a refused token or identity may still become good, in milliseconds; as with a session's option by
   * default. A machine that may start before the control plane knows of it needs some.
   */
  unauthorizedGraceMs?: number;

  /**
   * Whether to wait for the workspace to be given to somebody, as one of a prebuilt workspace must: the agent ends in
   * order then, and begins anew. False by default. C1.60–C1.69.
   */
  reinit?: boolean;

  /** Told what happens. */
  onEvent?(event: AgentEvent): void;
}

/** An agent that runs. */
export interface RunningAgent extends AsyncDisposable {
  /** Where it is in its life. */
  readonly state: LifecycleName;

  /** Creates and deletes sub-agents, over the connection that there is. */
  readonly subAgents: SubAgents;

  /** Resolves when the agent has stopped, with why, and with what could not be sent. Never rejects. */
  readonly ended: Promise<SessionEnd>;

  /**
   * Stops it in order: lifecycle `shutting_down`, stop scripts, lifecycle `off`, then whatever is not sent yet, for
   * five seconds at most. C4.86.
   */
  stop(): Promise<SessionEnd>;
}
