import { cells } from "./cells.mjs";

const base = "postgres-plain";
const units = /** @type {const} */ ([
  ["eventsPerSecond", "events/s"],
  ["p50Us", "p50 µs"],
  ["p99Us", "p99 µs"],
  ["commitsPerSecond", "commits/s"],
]);

/**
 * The medians over the rounds as Markdown, and the medians of the ratios to the plain engine within each round: what
 * else the machine does disturbs those less.
 *
 * @param {{ samples: import("./measure.mjs").Sample[], chosen: string[], facts: string, seconds: number, rounds: number }} run
 */
export function markdown({ samples, chosen, facts, seconds, rounds }) {
  const rows = cells.flatMap((cell) =>
    units.flatMap(([figure, unit]) => {
      const engines = cell.publishers === 0 ? ["none"] : chosen;
      const columns = engines.map((engine) => {
        const ofEngine = samples.filter((each) => each.cell === cell.name && each.engine === engine);
        const ratios = ofEngine.map(({ round, figures }) => {
          const other = samples.find(
            (each) => each.round === round && each.cell === cell.name && each.engine === base,
          );
          return quotient(figures[figure], other?.figures[figure]);
        });
        return text(median(ofEngine.map(({ figures }) => figures[figure])), median(ratios));
      });
      return columns.every((column) => column === "")
        ? []
        : [`| ${cell.name}: ${unit} | ${columns.join(" | ")} |`];
    }),
  );
  const problems = samples.flatMap(({ engine, cell, problems }) =>
    problems.map((problem) => `- ${cell}, ${engine}: ${problem}`),
  );
  return [
    `${facts}; medians of ${rounds} rounds of ${seconds} s; in brackets ratios to ${base}, also medians.\n`,
    `| | ${chosen.join(" | ")} |`,
    `| --- |${" ---: |".repeat(chosen.length)}`,
    ...rows,
    ...(problems.length === 0 ? [] : ["", "Problems:", "", ...problems]),
    "",
  ].join("\n");
}

/** @param {number | undefined} value @param {number | undefined} ratio */
function text(value, ratio) {
  if (value === undefined) return "";
  return `${value.toLocaleString("en")}${ratio === undefined ? "" : ` (${ratio.toFixed(2)})`}`;
}

/** @param {number | undefined} value @param {number | undefined} by */
function quotient(value, by) {
  return value === undefined || by === undefined || by === 0 ? undefined : value / by;
}

/** @param {(number | undefined)[]} values */
function median(values) {
  const numbers = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  return numbers[Math.floor(numbers.length / 2)];
}
