/** What a database keeps in one field. */
export type Stored = string | number | bigint | Uint8Array | null;

/** How one field of a record is kept. */
export interface Column<T> {
  toSql(value: T): Stored;
  /** @param stored as a driver gives it: PostgreSQL has 64-bit integers as text. */
  fromSql(stored: unknown): T;
}

/** A row with the fields of a record. */
export type Row<R> = { [K in keyof R]-?: Stored };

/** Any text; what is no Unicode (half a surrogate pair) becomes U+FFFD. */
export const text: Column<string> = {
  // written out, so that both databases do the same
  toSql: (value) => value.replace(halfPairs, "\ufffd"),
  fromSql: (stored) => String(stored),
};

const halfPairs = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** One of a fixed set of words. */
export function word<T extends string>(): Column<T> {
  return { toSql: (value) => value, fromSql: (stored) => String(stored) as T };
}

/** An integer up to 2^53, such as a time in microseconds. */
export const integer: Column<number> = { toSql: (value) => value, fromSql: Number };

/** A 64-bit integer. */
export const bigInteger: Column<bigint> = {
  toSql: (value) => value,
  fromSql: (stored) => BigInt(stored as string | number | bigint),
};

/** A floating-point number; NaN is kept as null. */
export const real: Column<number> = {
  toSql: (value) => (Number.isNaN(value) ? null : value),
  fromSql: (stored) => (stored === null ? Number.NaN : Number(stored)),
};

/** Kept as 0 or 1, which every database has. */
export const flag: Column<boolean> = {
  toSql: (value) => (value ? 1 : 0),
  fromSql: (stored) => Number(stored) !== 0,
};

/** Bytes as they are. */
export const bytes: Column<Uint8Array> = {
  toSql: (value) => value,
  fromSql: (stored) =>
    Uint8Array.from(stored instanceof ArrayBuffer ? new Uint8Array(stored) : (stored as Uint8Array)),
};

/** A value as JSON text. What is undefined in it, is not in it. */
export function json<T>(): Column<T> {
  return {
    toSql: (value) => JSON.stringify(value) ?? "null",
    fromSql: (stored) => JSON.parse(String(stored)) as T,
  };
}

/** The same, or nothing. */
export function optional<T>(column: Column<T>): Column<T | undefined> {
  return {
    toSql: (value) => (value === undefined ? null : column.toSql(value)),
    fromSql: (stored) => (stored === null ? undefined : column.fromSql(stored)),
  };
}

/** How a record is kept: one column for each field. */
export class RecordColumns<R extends object> {
  readonly names: readonly (keyof R & string)[];
  readonly #columns: { [K in keyof R]-?: Column<R[K]> };

  constructor(columns: { [K in keyof R]-?: Column<R[K]> }) {
    this.#columns = columns;
    this.names = Object.keys(columns) as (keyof R & string)[];
  }

  /** The row to write for a record. */
  toRow(record: R): Row<R> {
    const row: Partial<Row<R>> = {};
    for (const name of this.names) row[name] = this.#columns[name].toSql(record[name]);
    return row as Row<R>;
  }

  /** The record that a row holds; other fields of it are left out. */
  toRecord(row: Row<R>): R {
    const record: Partial<R> = {};
    for (const name of this.names) record[name] = this.#columns[name].fromSql(row[name]);
    return record as R;
  }
}
