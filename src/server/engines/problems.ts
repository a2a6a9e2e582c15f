/** Told what goes wrong with an engine that runs beside the calls; what it throws is not heard. */
export type OnProblem = (error: Error) => void;

/** The text of something thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return error.errors.map(messageOf).join("; ");
  return error instanceof Error ? error.message : String(error);
}

/** Whoever fails when told of something has only itself to tell. */
export function attempt(tell: () => void): void {
  try {
    tell();
  } catch {
    // nobody is waiting for it
  }
}

/** Tells a hook, when there is one. */
export function report(onProblem: OnProblem | undefined, error: Error): void {
  attempt(() => onProblem?.(error));
}
