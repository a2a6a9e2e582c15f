import { printable } from "./colors.js";
import { UsageError } from "./command.js";

/** A column of a table: its heading, and its text for a row. */
export interface Column<T> {
  heading: string;
  text(row: T): string;
}

/** A table as lines, each as wide as it needs to be; nothing in it can do anything to a terminal. */
export function tableText<T>(columns: readonly Column<T>[], rows: readonly T[]): string {
  const cells = [
    columns.map(({ heading }) => heading),
    ...rows.map((row) => columns.map(({ text }) => printable(text(row)))),
  ];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i]?.length ?? 0)));
  return cells
    .map(
      (line) =>
        `${line
          .map((cell, i) => cell.padEnd((widths[i] ?? 0) + 2))
          .join("")
          .trimEnd()}\n`,
    )
    .join("");
}

/**
 * The columns that somebody wants to see, in that order: headings in any case, between commas. All without.
 * @throws UsageError for one that is not there.
 */
export function chosenColumns<T>(
  columns: readonly Column<T>[],
  choice: string | undefined,
): readonly Column<T>[] {
  if (choice === undefined) return columns;
  return choice.split(",").map((name) => {
    const wanted = name.trim().toLowerCase();
    const found = columns.find(({ heading }) => heading.toLowerCase() === wanted);
    if (found === undefined) {
      const known = columns.map(({ heading }) => heading.toLowerCase()).join(", ");
      throw new UsageError(`--column ${name}: must be of ${known}`);
    }
    return found;
  });
}
