/**
 * A directed graph as DOT. C5.27.
 * @param nodes how many there are, numbered from 1.
 * @param edges pairs of numbers, in any order.
 */
export function dotText(name: string, nodes: number, edges: readonly (readonly [number, number])[]): string {
  const sorted = [...edges].sort(([a, b], [c, d]) => a - c || b - d);
  return [
    `strict digraph ${idText(name)} {`,
    "  // Node definitions.",
    ...Array.from({ length: nodes }, (_, i) => `  ${i + 1};`),
    ...(sorted.length === 0 ? [] : ["", "  // Edge definitions."]),
    ...sorted.map(([from, to]) => `  ${from} -> ${to};`),
    "}",
  ].join("\n");
}

/** A name as DOT takes it: as it is where it is a word, in quotes otherwise. */
function idText(name: string): string {
  return /^[A-Za-z_]\w*$/.test(name) ? name : `"${name.replaceAll('"', '\\"')}"`;
}
