/** How the tool ends. */
export const exitCodes = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** What the codes mean, for the help, the man page and people. */
export const exitCodeHelp: readonly (readonly [code: number, meaning: string])[] = [
  [exitCodes.done, "done; agent and serve: ended in order by Ctrl-C"],
  [exitCodes.failed, "failed; why is on standard error, of doctor on standard output"],
  [exitCodes.usage, "called wrongly; nothing was done"],
  [exitCodes.interrupted, "interrupted by Ctrl-C or SIGTERM before it was done"],
];
