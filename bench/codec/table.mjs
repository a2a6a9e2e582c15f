import { titles } from "./messages.mjs";

const base = "protobuf-es";

/**
 * The medians over the rounds as Markdown, with ratios to protobuf-es within each round: what else the
 * machine does disturbs those less.
 *
 * @param {{ samples: import("./main.mjs").Sample[], chosen: string[], messages: string[], facts: string,
 *   rounds: number, seconds: number }} run
 */
export function markdown({ samples, chosen, messages, facts, rounds, seconds }) {
  const rows = messages.flatMap((subject) =>
    ["encode", "decode", "init"].map((operation) => {
      const cells = chosen.map((library) => {
        const own = samples.filter(
          (sample) =>
            sample.subject === subject && sample.operation === operation && sample.library === library,
        );
        return cell(own, samples);
      });
      const title = titles[/** @type {keyof typeof titles} */ (subject)] ?? subject;
      return `| ${title}: ${operation} | ${cells.join(" | ")} |`;
    }),
  );
  return [
    `${facts}; medians of ${rounds} rounds of ${seconds} s: operations for each second of processor time, in brackets`,
    `the ratio to ${base}, and the bytes of memory for each operation. \`init\` encodes a plain object.`,
    "",
    `| | ${chosen.join(" | ")} |`,
    `| --- |${" ---: |".repeat(chosen.length)}`,
    ...rows,
    "",
  ].join("\n");
}

/**
 * @param {import("./main.mjs").Sample[]} own
 * @param {import("./main.mjs").Sample[]} all
 */
function cell(own, all) {
  const perSecond = median(own.map((sample) => sample.perSecond));
  if (perSecond === undefined) return "";
  const ratio = median(
    own.map((sample) => {
      const other = all.find(
        ({ round, subject, operation, library }) =>
          round === sample.round &&
          subject === sample.subject &&
          operation === sample.operation &&
          library === base,
      );
      return other?.perSecond && sample.perSecond && sample.perSecond / other.perSecond;
    }),
  );
  const bytes = median(own.map((sample) => sample.bytes));
  const inBrackets = ratio === undefined ? "" : ` (${ratio.toFixed(2)})`;
  return `${rounded(perSecond)}${inBrackets}, ${rounded(bytes ?? 0)} B`;
}

/** @param {number} value */
function rounded(value) {
  return Number(value.toPrecision(3)).toLocaleString("en");
}

/** @param {(number | undefined)[]} values */
function median(values) {
  const numbers = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  return numbers[Math.floor(numbers.length / 2)];
}
