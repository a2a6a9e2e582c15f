import { maxTimerMs } from "../durations.js";

/** An option in milliseconds. @throws RangeError when no timer can wait so long. */
export function msOption(name: string, value: number | undefined, usual: number): number {
  const ms = value ?? usual;
  if (ms >= 1 && ms <= maxTimerMs) return ms;
  throw new RangeError(`${name} is a number of milliseconds from 1 to ${maxTimerMs}, and not ${ms}`);
}

/** An option that bounds something. @throws RangeError when it is no whole number from 1. */
export function boundOption(name: string, value: number | undefined, usual: number): number {
  const bound = value ?? usual;
  if (Number.isSafeInteger(bound) && bound >= 1) return bound;
  throw new RangeError(`${name} is a whole number from 1, and not ${bound}`);
}
