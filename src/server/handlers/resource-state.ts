import type { MonitorRecord } from "../../store/index.js";

/** What one sample says of a thing that is watched. */
export type SampleState = "ok" | "nok" | "unknown";

/** Nobody is told again for so long. S3.72. */
const debounceUs = 30 * 60 * 1_000_000;

/** So many per cent of the samples one behind the other, or in all, are too much. S3.71. */
const consecutivePercent = 50;
const totalPercent = 20;

/** One sample against a threshold. S3.70. */
export function sampleState(
  sample: { usedBytes: bigint; totalBytes: bigint } | undefined,
  thresholdPercent: number,
): SampleState {
  if (sample === undefined) return "unknown";
  if (sample.totalBytes <= 0n) return "ok";
  const percent = Math.trunc((Number(sample.usedBytes) / Number(sample.totalBytes)) * 100);
  return percent < thresholdPercent ? "ok" : "nok";
}

/** The state after some samples. S3.71. */
export function nextResourceState(
  before: MonitorRecord["state"],
  samples: readonly SampleState[],
): MonitorRecord["state"] {
  const percentOf = (count: number) => Math.round((100 * count) / samples.length);
  const bad = samples.filter((sample) => sample === "nok").length;
  if (samples.length > 0 && percentOf(longestRun(samples)) >= consecutivePercent) return "nok";
  if (samples.length > 0 && percentOf(bad) >= totalPercent) return "nok";
  return samples.every((sample) => sample === "ok") ? "ok" : before;
}

/** How a monitor stands after some samples, and whether somebody is to be told. S3.72. */
export function updatedMonitor<T extends MonitorRecord>(
  monitor: T,
  samples: readonly SampleState[],
  nowUs: number,
): { monitor: T; isNews: boolean } {
  const state = nextResourceState(monitor.state, samples);
  const isNews = monitor.state === "ok" && state === "nok" && nowUs > (monitor.debouncedUntilUs ?? 0);
  return {
    monitor: { ...monitor, state, ...(isNews ? { debouncedUntilUs: nowUs + debounceUs } : {}) },
    isNews,
  };
}

function longestRun(samples: readonly SampleState[]): number {
  let longest = 0;
  let run = 0;
  for (const sample of samples) {
    run = sample === "nok" ? run + 1 : 0;
    longest = Math.max(longest, run);
  }
  return longest;
}
