import { describe, expect, it } from "vitest";
import type { SigningKeyRecord } from "../../../src/store/index.js";
import { atUs, type Subject } from "./fixtures.js";

function keyOf(purpose: string, sequence: number, expiresAtUs = atUs): SigningKeyRecord {
  const secret = crypto.getRandomValues(new Uint8Array(64));
  return { purpose, sequence, secret, createdAtUs: 1, signsUntilUs: atUs - 1, expiresAtUs };
}

/** What servers sign with. */
export function signingKeys({ name, emptyStore }: Subject): void {
  describe(`${name}: signing keys`, () => {
    it("are read by purpose and sequence, as they were written", async () => {
      const store = await emptyStore();
      expect(await store.signingKeys("one")).toEqual([]);
      const [tenth, second, other] = [keyOf("one", 10), keyOf("one", 2), keyOf("two", 2)];
      for (const key of [tenth, second, other]) await store.insertSigningKey(key);
      expect(await store.signingKeys("one")).toEqual([second, tenth]);
      expect(await store.signingKeys("two")).toEqual([other]);
    });

    it("that servers make at the same time are one, the same for all", async () => {
      const store = await emptyStore();
      const made = Array.from({ length: 10 }, () => keyOf("one", 1));
      const seen = await Promise.all(
        made.map(async (key) => {
          await store.insertSigningKey(key);
          return await store.signingKeys("one");
        }),
      );
      const [first] = seen;
      expect(first).toHaveLength(1);
      expect(made).toContainEqual(first?.[0]);
      for (const keys of seen) expect(keys).toEqual(first);
    });

    it("are removed once they have expired, those of other purposes stay", async () => {
      const store = await emptyStore();
      const [over, good, other] = [keyOf("one", 1, atUs), keyOf("one", 2, atUs + 1), keyOf("two", 1, 1)];
      for (const key of [over, good, other]) await store.insertSigningKey(key);
      await store.deleteSigningKeys("one", atUs);
      expect(await store.signingKeys("one")).toEqual([good]);
      expect(await store.signingKeys("two")).toEqual([other]);
      await store.deleteSigningKeys("none", atUs);
    });
  });
}
