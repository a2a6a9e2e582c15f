import { cells } from "./cells.mjs";

/**
 * The medians over the rounds, and each engine's ratio to PostgreSQL as it comes, as Markdown.
 *
 * @param {{ samples: import("./measure.mjs").Sample[], chosen: string[], facts: string, seconds: number, rounds: number }} run
 */
export function markdown({ samples, chosen, facts, seconds, rounds }) {
  const values = (
    /** @type {string} */ cell,
    /** @type {string} */ engine,
    /** @type {keyof import("./measure.mjs").Figures} */ figure,
  ) =>
    samples
      .filter((each) => each.cell === cell && each.engine === engine)
      .map(({ figures }) => figures[figure]);
  const rows = cells.flatMap((cell) => {
    const kinds = /** @type {const} */ ([
      ["eventsPerSecond", "events/s"],
      ["p50Us", "p50 µs"],
      ["p99Us", "p99 µs"],
      ["commitsPerSecond", "commits/s"],
    ]);
    return kinds.flatMap(([figure, unit]) => {
      const engines = cell.publishers === 0 ? ["none"] : chosen;
      const medians = engines.map((engine) => median(values(cell.name, engine, figure)));
      if (medians.every((value) => value === undefined)) return [];
      const base = medians[engines.indexOf("postgres-plain")];
      const texts = medians.map((value) => text(value, cell.publishers === 0 ? undefined : base));
      return [`| ${cell.name}: ${unit} | ${texts.join(" | ")} |`];
    });
  });
  const problems = samples.flatMap(({ engine, cell, problems }) =>
    problems.map((problem) => `- ${cell}, ${engine}: ${problem}`),
  );
  return [
    `${facts}; medians of ${rounds} rounds of ${seconds} s; in brackets the ratio to postgres-plain.\n`,
    `| | ${chosen.join(" | ")} |`,
    `| --- |${" ---: |".repeat(chosen.length)}`,
    ...rows,
    ...(problems.length === 0 ? [] : ["", "Problems:", "", ...problems]),
    "",
  ].join("\n");
}

function text(/** @type {number | undefined} */ value, /** @type {number | undefined} */ base) {
  if (value === undefined) return "";
  const ratio = base === undefined || base === 0 ? "" : ` (${(value / base).toFixed(2)})`;
  return `${value.toLocaleString("en")}${ratio}`;
}

function median(/** @type {(number | undefined)[]} */ values) {
  const numbers = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  return numbers[Math.floor(numbers.length / 2)];
}
