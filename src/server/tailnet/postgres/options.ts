import type { OnProblem } from "../../engines/problems.js";
import { positive } from "../../engines/waits.js";
import { type CoordinatorLimits, resolveLimits } from "../coordinator.js";

/** How a coordinator over PostgreSQL works; all have defaults. */
export interface PostgresCoordinatorOptions {
  /** Bounds on what one peer can make it keep; those of {@link CoordinatorLimits} by default. */
  limits?: CoordinatorLimits;
  /** Told what goes wrong; nobody by default. What it is told of is dealt with already. */
  onProblem?: OnProblem;
  /**
   * How often it says that it is there, in milliseconds; 2,000 by default. One that has not been heard of for three
   * times as long is gone, and so are its peers.
   */
  heartbeatIntervalMs?: number;
  /** The longest wait for an answer of the server, in milliseconds; two heartbeats by default. */
  timeoutMs?: number;
  /** The longest pause between two attempts to connect again, in milliseconds; half a heartbeat by default. */
  maxBackoffMs?: number;
}

/** {@link PostgresCoordinatorOptions} with the defaults. */
export interface ResolvedOptions {
  readonly limits: Required<CoordinatorLimits>;
  readonly onProblem: OnProblem | undefined;
  readonly heartbeatIntervalMs: number;
  /** After this time without a heartbeat, in milliseconds, a coordinator is gone. S4.25. */
  readonly expiryMs: number;
  readonly timeoutMs: number;
  readonly maxBackoffMs: number;
}

const beatsUntilGone = 3;

/** @throws RangeError when a number is not positive. */
export function resolveOptions(options: PostgresCoordinatorOptions): ResolvedOptions {
  const heartbeatIntervalMs = positive("heartbeatIntervalMs", options.heartbeatIntervalMs, 2000);
  return {
    limits: resolveLimits(options.limits),
    onProblem: options.onProblem,
    heartbeatIntervalMs,
    expiryMs: beatsUntilGone * heartbeatIntervalMs,
    timeoutMs: positive("timeoutMs", options.timeoutMs, 2 * heartbeatIntervalMs),
    maxBackoffMs: positive("maxBackoffMs", options.maxBackoffMs, heartbeatIntervalMs / 2),
  };
}
