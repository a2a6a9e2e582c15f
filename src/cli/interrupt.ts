const names = ["SIGINT", "SIGTERM"] as const;

/**
 * Turns Ctrl-C and a request to end into the end of a signal, for an end in order; the second time the process ends
 * at once.
 */
export function interruptSignal(): AbortSignal {
  const abort = new AbortController();
  for (const [index, name] of names.entries()) {
    process.on(name, () => {
      if (abort.signal.aborted) process.exit(128 + (index === 0 ? 2 : 15));
      abort.abort(new Error(`ended by ${name}`));
    });
  }
  return abort.signal;
}
