import { UsageError } from "./command.js";

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/**
 * A duration as Go programs write it: `5m`, `1h30m`, `1.5s`, `0`.
 * @returns milliseconds.
 * @throws UsageError for anything else, and for one below zero.
 */
export function parseDuration(name: string, text: string): number {
  if (text === "0") return 0;
  const parts = [...text.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text) {
    throw new UsageError(`--${name} ${text}: must be a duration such as 90s, 5m or 1h30m; 0 for none`);
  }
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * (unitMs[unit ?? ""] ?? 0), 0);
}
