import { type RawBuilder, sql } from "kysely";
import { byText } from "../by-text.js";
import type { Stored } from "./columns.js";

/** SQLite takes 32,766 parameters in a statement, PostgreSQL 65,535. */
const maxParameters = 30_000;

/** Rows in pieces that fit into one statement each. */
export function pieces<T extends object>(rows: readonly T[]): T[][] {
  const [first] = rows;
  if (first === undefined) return [];
  const size = Math.floor(maxParameters / Object.keys(first).length);
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, i) =>
    rows.slice(i * size, (i + 1) * size),
  );
}

/**
 * Rows as a table in a statement; its columns are column1, column2 … in both databases. PostgreSQL takes all of it for
 * text: numbers must be cast.
 */
export function valuesTable(rows: readonly (readonly Stored[])[]): RawBuilder<unknown> {
  return sql`(values ${sql.join(rows.map((row) => sql`(${sql.join(row)})`))})`;
}

/** The last row of each key, by key: rows of a table are locked in the same order by all who update many. */
export function lastOfEach<T>(rows: readonly T[], keyOf: (row: T) => string): T[] {
  return byText([...new Map(rows.map((row) => [keyOf(row), row])).values()], keyOf);
}
