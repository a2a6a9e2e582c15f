const firstBackoffMs = 100;

/** How long to wait before an attempt: any time below a limit that doubles, so that not all come back at once. */
export function backoffMs(attempt: number, maxBackoffMs: number): number {
  return Math.random() * Math.min(maxBackoffMs, firstBackoffMs * 2 ** Math.min(attempt, 20));
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

/**
 * The value of an option that is a number.
 * @throws RangeError when it is not positive.
 */
export function positive(name: string, value: number | undefined, byDefault: number): number {
  if (value === undefined) return byDefault;
  if (Number.isFinite(value) && value > 0) return value;
  throw new RangeError(`${name} must be a positive number, not ${value}.`);
}
