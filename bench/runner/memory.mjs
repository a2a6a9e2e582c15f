import { readFileSync, writeFileSync } from "node:fs";

/**
 * Has Linux forget how much memory a process had at most. Elsewhere nothing happens.
 *
 * @param {number | undefined} pid
 */
export function forgetPeak(pid) {
  if (process.platform === "linux") writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

/**
 * The most memory in MB that a process has had since then; undefined where that is not known.
 *
 * @param {number | undefined} pid
 * @returns {number | undefined}
 */
export function peakMb(pid) {
  if (process.platform !== "linux") return undefined;
  const kib = /^VmHWM:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return kib === undefined ? undefined : (Number(kib) * 1024) / 1e6;
}
