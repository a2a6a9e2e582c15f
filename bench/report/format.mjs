/**
 * @typedef {import("./statistics.mjs").Spread} Spread
 */

const missing = "–";

/**
 * @param {number | undefined} value
 * @returns {string} three digits, or as many as there are before the point
 */
export function number(value) {
  if (value === undefined) return missing;
  if (value >= 999_500) return `${number(value / 1e6)}M`;
  if (value >= 9_995) return `${number(value / 1000)}k`;
  if (value >= 99.95) return value.toFixed(0);
  return value.toFixed(value >= 9.995 ? 1 : 2);
}

/** @param {Spread | undefined} spread */
export function median(spread) {
  return number(spread?.median);
}

/** @param {Spread | undefined} spread */
export function range(spread) {
  return spread === undefined ? missing : `${number(spread.min)}–${number(spread.max)}`;
}

/** @param {Spread | undefined} spread */
export function medianAndRange(spread) {
  return spread === undefined ? missing : `${median(spread)} (${range(spread)})`;
}

/**
 * A Markdown table whose first column is text.
 *
 * @param {string[]} head
 * @param {string[][]} rows
 */
export function table(head, rows) {
  const line = (/** @type {string[]} */ cells) => `| ${cells.join(" | ")} |`;
  const rule = head.map((_, column) => (column === 0 ? "---" : "---:"));
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}
