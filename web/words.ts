/** Figures and states as people read them. */

const units = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Bytes, such as `3.4 GiB`. */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** A length of time in milliseconds, such as `3.2 s` or `4 min`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return coarse(ms);
}

/** How long ago something was, such as `now`, `12 s ago` or `3 h ago`. */
export function age(ms: number): string {
  return ms < 1000 ? "now" : `${ms < 60_000 ? `${Math.floor(ms / 1000)} s` : coarse(ms)} ago`;
}

function coarse(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}

/** A time of day here, such as `14:05:09`. */
export function timeOfDay(ms: number): string {
  return new Date(ms).toTimeString().slice(0, 8);
}

/** A state as stored, such as `start_timeout`, in words. */
export function words(state: string): string {
  return state.replaceAll("_", " ");
}

/** A number with its noun. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

/** A command of a terminal, or a character that has no shape. */
const terminalCodes = new RegExp(
  [
    String.raw`\u001b\[[0-9;?]*[ -/]*[@-~]`,
    String.raw`\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)`,
    String.raw`\u001b.?`,
    String.raw`[\u0000-\u0008\u000b-\u001f\u007f-\u009f]`,
  ].join("|"),
  "g",
);

/** A line without what is for terminals: colours, titles, bells. */
export function printable(line: string): string {
  return line.replace(terminalCodes, "");
}
