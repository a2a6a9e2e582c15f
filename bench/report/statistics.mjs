/** @typedef {{ median: number, min: number, max: number }} Spread */

/**
 * @param {readonly (number | undefined)[]} values
 * @returns {Spread | undefined} undefined without any value
 */
export function spreadOf(values) {
  const sorted = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  if (sorted.length === 0) return undefined;
  const middle = (sorted.length - 1) / 2;
  return {
    median: (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2,
    min: sorted[0],
    max: sorted[sorted.length - 1],
  };
}
