/** How many times as much as usual random tests and leak checks do: `npm run test:long` sets it. */
export const scale = Number(process.env["AGENTWIRE_TEST_SCALE"] ?? 1);

/** Parameters of a property test. */
export function runs(usual: number): { numRuns: number } {
  return { numRuns: usual * scale };
}

/** A time-out for tests that take longer when they do more. */
export function timeoutMs(usual: number): number {
  return usual * Math.max(1, scale / 4);
}
