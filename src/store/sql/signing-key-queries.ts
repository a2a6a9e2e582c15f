import type { SigningKeyRecord } from "../signing-keys.js";
import type { Queries } from "./engine.js";
import { signingKeyColumns } from "./tables.js";

/** The keys of a purpose, by their sequence. */
export async function signingKeysOf(db: Queries, purpose: string): Promise<SigningKeyRecord[]> {
  const rows = await db
    .selectFrom("signingKeys")
    .selectAll()
    .where("purpose", "=", purpose)
    .orderBy("sequence")
    .execute();
  return rows.map((row) => signingKeyColumns.toRecord(row));
}

/** The first of a purpose and sequence stays. */
export async function insertSigningKey(db: Queries, key: SigningKeyRecord): Promise<void> {
  await db
    .insertInto("signingKeys")
    .values(signingKeyColumns.toRow(key))
    .onConflict((conflict) => conflict.columns(["purpose", "sequence"]).doNothing())
    .execute();
}

/** Removes the keys of a purpose that have expired at that time. */
export async function deleteSigningKeys(db: Queries, purpose: string, expiredAtUs: number): Promise<void> {
  await db
    .deleteFrom("signingKeys")
    .where("purpose", "=", purpose)
    .where("expiresAtUs", "<=", expiredAtUs)
    .execute();
}
