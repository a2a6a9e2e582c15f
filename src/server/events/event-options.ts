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

const firstBackoffMs = 100;

/** How long to wait before an attempt: any time below a limit that doubles, so that not all come back at once. */
export function backoffMs(attempt: number, maxBackoffMs: number): number {
  return Math.random() * Math.min(maxBackoffMs, firstBackoffMs * 2 ** Math.min(attempt, 20));
}

/** @throws Error, one sentence with the command that installs the package, when it is not there. */
export async function loadOptional<Module>(
  engine: string,
  packageName: string,
  load: () => Promise<Module>,
): Promise<Module> {
  try {
    return await load();
  } catch (error) {
    const code = (error as { code?: unknown } | null)?.code;
    if (code !== "ERR_MODULE_NOT_FOUND" && code !== "MODULE_NOT_FOUND") throw error;
    throw new Error(`Events over ${engine} need a package that is not installed: npm install ${packageName}`);
  }
}

/** @throws Error when a promise takes longer; what the promise does then is not heard. */
export async function within<Value>(
  promise: Promise<Value>,
  timeoutMs: number,
  what: string,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The text of something thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return error.errors.map(messageOf).join("; ");
  return error instanceof Error ? error.message : String(error);
}

function positive(name: string, value: number | undefined, byDefault: number): number {
  if (value === undefined) return byDefault;
  if (Number.isFinite(value) && value > 0) return value;
  throw new RangeError(`${name} must be a positive number, not ${value}.`);
}
