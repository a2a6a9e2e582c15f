import type { LifecycleName } from "../client/index-node.js";

/** When a script runs. */
export type ScriptStage = "start" | "stop";

/** How a script ended, in the words of the API. C4.68. */
export type ScriptStatus = "ok" | "exit_failure" | "timed_out" | "pipes_left_open";

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
  /** Something went wrong that the agent lives on with. */
  | { kind: "warning"; text: string };
