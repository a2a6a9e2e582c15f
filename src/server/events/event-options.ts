import { positive } from "../engines/waits.js";
import type { OnEventProblem } from "./events.js";

/** How events across processes are carried; all have defaults. */
export interface EngineOptions {
  /** Told what goes wrong; nobody by default. What it is told of is dealt with already. */
  onProblem?: OnEventProblem;
  /** So many messages wait at most to be published, then events are dropped; 8,192 by default. */
  maxQueuedMessages?: number;
  /** The longest wait for an answer of the server, in milliseconds; 10,000 by default. */
  timeoutMs?: number;
  /** How often a connection is asked whether it still is one, in milliseconds; 15,000 by default. */
  heartbeatMs?: number;
  /** The longest pause between two attempts to connect again, in milliseconds; 10,000 by default. */
  maxBackoffMs?: number;
}

/** {@link EngineOptions} with the defaults. */
export interface ResolvedEngineOptions extends Required<Omit<EngineOptions, "onProblem">> {
  onProblem: OnEventProblem | undefined;
}

/** @throws RangeError when a number is not positive. */
export function resolveEngineOptions(options: EngineOptions): ResolvedEngineOptions {
  return {
    onProblem: options.onProblem,
    maxQueuedMessages: positive("maxQueuedMessages", options.maxQueuedMessages, 8192),
    timeoutMs: positive("timeoutMs", options.timeoutMs, 10_000),
    heartbeatMs: positive("heartbeatMs", options.heartbeatMs, 15_000),
    maxBackoffMs: positive("maxBackoffMs", options.maxBackoffMs, 10_000),
  };
}
