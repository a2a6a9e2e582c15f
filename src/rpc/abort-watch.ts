type Callback = () => void;

/** Who waits for each signal. */
const watchers = new WeakMap<AbortSignal, Set<Callback>>();

/**
 * Waits for a signal with one listener on it, however many wait: many calls may share a signal, and a listener each
 * would make Node warn of a leak.
 */
export function watchAbort(signal: AbortSignal, callback: Callback): void {
  let callbacks = watchers.get(signal);
  if (callbacks === undefined) {
    callbacks = new Set();
    watchers.set(signal, callbacks);
  }
  if (callbacks.size === 0) signal.addEventListener("abort", notify);
  callbacks.add(callback);
}

/** Takes back {@link watchAbort}. The last one takes the listener away. */
export function unwatchAbort(signal: AbortSignal, callback: Callback): void {
  const callbacks = watchers.get(signal);
  if (callbacks?.delete(callback) && callbacks.size === 0) signal.removeEventListener("abort", notify);
}

function notify(event: Event): void {
  const signal = event.target as AbortSignal;
  for (const callback of [...(watchers.get(signal) ?? [])]) callback();
}
