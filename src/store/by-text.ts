/** Rows sorted by a text, in every store alike: PostgreSQL would sort by the database's language. */
export function byText<T>(rows: readonly T[], keyOf: (row: T) => string): T[] {
  const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return [...rows].sort((a, b) => compare(keyOf(a), keyOf(b)));
}
