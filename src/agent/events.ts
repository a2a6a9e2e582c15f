import type { LifecycleName, ReinitEvent, Unsent } from "../client/index-node.js";

/** When a script runs. */
export type ScriptStage = "start" | "stop" | "cron";

/** How a script ended, in the words of the API. C4.68. */
export type ScriptStatus = "ok" | "exit_failure" | "timed_out" | "pipes_left_open";

/** A message that a deployment has for its users. */
export interface Banner {
  message: string;
  /** Such as `#004852`. */
  backgroundColor: string;
}

/** What an agent says of itself while it runs. */
export type AgentEvent =
  /** A connection stands. `version` is such as `2.10`. */
  | { kind: "connected"; version: string }
  /** The connection, or the attempt to get one, has failed; the next attempt comes after `retryInMs`. */
  | { kind: "disconnected"; reason: string; retryInMs: number }
  | { kind: "lifecycle"; state: LifecycleName }
  | {
      kind: "script-ended";
      script: string;
      stage: ScriptStage;
      status: ScriptStatus;
      exitCode: number;
      durationMs: number;
    }
  /** The deployment's banners are others than before. */
  | { kind: "banners"; banners: readonly Banner[] }
  /** The workspace was given to somebody: the agent ends, and begins anew. C1.68. */
  | { kind: "reinitialising"; event: ReinitEvent }
  /** What was accepted and could not be sent before the end. */
  | { kind: "unsent"; unsent: readonly Unsent[] }
  /** Something went wrong that the agent lives on with. */
  | { kind: "warning"; text: string };
