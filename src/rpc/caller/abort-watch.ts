import { type Linked, LinkedRow } from "../../transport/linked-row.js";

/** A callback in the row of those that wait for a signal. */
export interface AbortWatch extends Linked<AbortWatch> {
  readonly callback: () => void;
}

/** Who waits for each signal. */
const rows = new WeakMap<AbortSignal, LinkedRow<AbortWatch>>();

/**
 * Waits for a signal with one listener on it, however many wait: many calls may share a signal, and a listener each
 * would make Node warn of a leak.
 * @returns what {@link unwatchAbort} takes.
 */
export function watchAbort(signal: AbortSignal, callback: () => void): AbortWatch {
  let row = rows.get(signal);
  if (row === undefined) {
    row = new LinkedRow();
    rows.set(signal, row);
  }
  if (row.length === 0) signal.addEventListener("abort", notify);
  const watch: AbortWatch = { callback, before: undefined, behind: undefined };
  row.append(watch);
  return watch;
}

/** Takes back {@link watchAbort}; once only. The last one takes the listener away. */
export function unwatchAbort(signal: AbortSignal, watch: AbortWatch): void {
  const row = rows.get(signal);
  row?.remove(watch);
  if (row?.length === 0) signal.removeEventListener("abort", notify);
}

function notify(event: Event): void {
  const callbacks: (() => void)[] = [];
  const row = rows.get(event.target as AbortSignal);
  for (let watch = row?.first; watch !== undefined; watch = watch.behind) callbacks.push(watch.callback);
  for (const callback of callbacks) callback();
}
