/** A callback in the row of those that wait for a signal. */
export interface AbortWatch {
  readonly callback: () => void;
  before: AbortWatch | undefined;
  behind: AbortWatch | undefined;
}

/** The last in the row of each signal that is waited for. */
const rows = new WeakMap<AbortSignal, AbortWatch>();

/**
 * Waits for a signal with one listener on it, however many wait: many calls may share a signal, and a listener each
 * would make Node warn of a leak.
 *
 * Those who wait are linked and not in a set, whose inner tables would keep calls alive that have long ended.
 * @returns what {@link unwatchAbort} takes.
 */
export function watchAbort(signal: AbortSignal, callback: () => void): AbortWatch {
  const last = rows.get(signal);
  const watch: AbortWatch = { callback, before: last, behind: undefined };
  if (last === undefined) signal.addEventListener("abort", notify);
  else last.behind = watch;
  rows.set(signal, watch);
  return watch;
}

/** Takes back {@link watchAbort}; once only. The last one takes the listener away. */
export function unwatchAbort(signal: AbortSignal, watch: AbortWatch): void {
  const { before, behind } = watch;
  if (before !== undefined) before.behind = behind;
  if (behind !== undefined) behind.before = before;
  else if (before !== undefined) rows.set(signal, before);
  else {
    rows.delete(signal);
    signal.removeEventListener("abort", notify);
  }
  // what has left must not lead to those who come later: they would live as long as it
  watch.before = undefined;
  watch.behind = undefined;
}

function notify(event: Event): void {
  const callbacks: (() => void)[] = [];
  for (let watch = rows.get(event.target as AbortSignal); watch !== undefined; watch = watch.before) {
    callbacks.push(watch.callback);
  }
  for (const callback of callbacks.reverse()) callback();
}
