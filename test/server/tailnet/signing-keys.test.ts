import fc from "fast-check";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { KeyRing, signingKeyStore } from "../../../src/server/tailnet/signing-keys.js";
import {
  type AgentStore,
  MemorySigningKeys,
  MemoryStore,
  type SigningKeyRecord,
  type SigningKeyStore,
} from "../../../src/store/index.js";
import { runs } from "../../support/scale.js";

const dayMs = 24 * 60 * 60 * 1000;
const dayUs = dayMs * 1000;
const options = { purpose: "test", signatureLifetimeMs: dayMs };

/** Keys in memory, with a count of how often they are asked for; can be made to fail. */
class CountedKeys extends MemorySigningKeys {
  reads = 0;
  failure: Error | undefined;

  override async signingKeys(purpose: string): Promise<readonly SigningKeyRecord[]> {
    this.reads++;
    if (this.failure !== undefined) throw this.failure;
    return await super.signingKeys(purpose);
  }
}

/** The clock of {@link performance}, to be moved by hand. */
function movedClock() {
  vi.useFakeTimers({ toFake: ["performance"] });
  onTestFinished(() => void vi.useRealTimers());
  return (ms: number) => vi.advanceTimersByTime(ms);
}

describe("a ring of keys", () => {
  it("makes a key of 64 random bytes when there is none, and signs with it for 30 days", async () => {
    const store = new CountedKeys();
    const ring = new KeyRing(store, options);
    const key = await ring.signingKey(0);
    expect(key).toMatchObject({ sequence: 1, signsUntilUs: 30 * dayUs, expiresAtUs: 31 * dayUs });
    expect(key.secret).toHaveLength(64);
    expect(new Set(key.secret).size).toBeGreaterThan(20);
    expect(await ring.signingKey(30 * dayUs - 1)).toEqual(key);
    const next = await ring.signingKey(30 * dayUs);
    expect(next).toMatchObject({ sequence: 2, signsUntilUs: 60 * dayUs });
    expect(next.secret).not.toEqual(key.secret);
  });

  it("knows a key until all that it signed has expired, and removes it with the rotation after that", async () => {
    const store = new CountedKeys();
    const ring = new KeyRing(store, { ...options, rotateEveryMs: 2 * dayMs });
    const first = await ring.signingKey(0);
    await ring.signingKey(2 * dayUs);
    expect(await ring.keyWith(1, 3 * dayUs - 1)).toEqual(first);
    expect(await ring.keyWith(1, 3 * dayUs)).toBeUndefined();
    expect(await store.signingKeys("test")).toHaveLength(2);
    await ring.signingKey(4 * dayUs);
    expect((await store.signingKeys("test")).map(({ sequence }) => sequence)).toEqual([2, 3]);
  });

  it("agrees with other servers that rotate at the same time, whatever their clocks say", async () => {
    const steps = fc.array(
      fc.record({
        server: fc.nat({ max: 3 }),
        waitUs: fc.nat({ max: 2 * dayUs }),
        skewUs: fc.integer({ min: -5_000_000, max: 5_000_000 }),
        atOnce: fc.integer({ min: 1, max: 4 }),
      }),
      { maxLength: 30 },
    );
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const store = new MemorySigningKeys();
        const rings = [0, 1, 2, 3].map(() => new KeyRing(store, { ...options, rotateEveryMs: dayMs }));
        let nowUs = 10 * dayUs;
        for (const { server, waitUs, skewUs, atOnce } of all) {
          nowUs += waitUs;
          const signers = Array.from({ length: atOnce }, (_, i) => rings[(server + i) % rings.length]);
          const keys = await Promise.all(signers.map((ring) => ring?.signingKey(nowUs + skewUs)));
          expect(new Set(keys.map((key) => key?.sequence)).size).toBe(1);
          for (const key of keys) expect(key).toEqual(keys[0]);
          const [key] = keys;
          if (key === undefined) throw new Error("no key");
          // who has just read would not ask again
          const checker = new KeyRing(store, options);
          expect(await checker.keyWith(key.sequence, nowUs + skewUs + dayUs - 1)).toEqual(key);
          expect((await store.signingKeys("test")).length).toBeLessThanOrEqual(4);
        }
      }),
      runs(100),
    );
  });

  it("makes one key for calls at the same time", async () => {
    const store = new CountedKeys();
    const insert = vi.spyOn(store, "insertSigningKey");
    const ring = new KeyRing(store, options);
    const keys = await Promise.all(Array.from({ length: 20 }, () => ring.signingKey(0)));
    expect(new Set(keys.map(({ sequence }) => sequence))).toEqual(new Set([1]));
    expect(insert).toHaveBeenCalledTimes(1);
  });

  it("sees the key that it has made, even when a read that began before is slow", async () => {
    const pass = movedClock();
    let release = () => {};
    let gate: Promise<void> | undefined;
    class SlowKeys extends MemorySigningKeys {
      override async signingKeys(purpose: string) {
        const keys = await super.signingKeys(purpose);
        await gate;
        return keys;
      }

      override async insertSigningKey(key: SigningKeyRecord) {
        gate = new Promise((resolve) => {
          release = resolve;
        });
        pass(1000);
        slow = ring.keyWith(99, 0);
        // it has read when this is over
        await new Promise((resolve) => setImmediate(resolve));
        gate = undefined;
        await super.insertSigningKey(key);
      }
    }
    let slow: Promise<unknown> | undefined;
    const ring = new KeyRing(new SlowKeys(), options);
    const key = await ring.signingKey(0);
    expect(key.sequence).toBe(1);
    release();
    expect(await slow).toBeUndefined();
    expect(await ring.signingKey(0)).toEqual(key);
  });

  it("reads keys again for one that it does not know, once a second at most", async () => {
    const pass = movedClock();
    const store = new CountedKeys();
    const [one, other] = [new KeyRing(store, options), new KeyRing(store, options)];
    await one.signingKey(0);
    await other.signingKey(0);
    const next = await one.signingKey(30 * dayUs);
    pass(1000);
    store.reads = 0;
    expect(await other.keyWith(2, 30 * dayUs)).toEqual(next);
    expect(store.reads).toBe(1);
    const made = Array.from({ length: 50 }, (_, i) => other.keyWith(1000 + i, 30 * dayUs));
    expect(await Promise.all(made)).toEqual(made.map(() => undefined));
    expect(store.reads).toBe(1);
    pass(999);
    expect(await other.keyWith(3, 30 * dayUs)).toBeUndefined();
    expect(store.reads).toBe(1);
    pass(1);
    await Promise.all([other.keyWith(3, 30 * dayUs), other.keyWith(4, 30 * dayUs)]);
    expect(store.reads).toBe(2);
  });

  it("hears within ten minutes that somebody has removed a key", async () => {
    const pass = movedClock();
    const store = new CountedKeys();
    const ring = new KeyRing(store, options);
    await ring.signingKey(0);
    await store.deleteSigningKeys("test", Number.MAX_SAFE_INTEGER);
    expect(await ring.keyWith(1, 0)).toBeDefined();
    pass(10 * 60 * 1000);
    expect(await ring.keyWith(1, 0)).toBeUndefined();
    expect((await ring.signingKey(0)).sequence).toBe(1);
  });

  it("goes on with what it knows while the store does not answer", async () => {
    const pass = movedClock();
    const store = new CountedKeys();
    const ring = new KeyRing(store, options);
    const key = await ring.signingKey(0);
    store.failure = new Error("the database is away");
    pass(60 * 60 * 1000);
    expect(await ring.keyWith(1, 0)).toEqual(key);
    expect(await ring.signingKey(0)).toEqual(key);
    const { reads } = store;
    // nobody can say that there is none
    await expect(ring.keyWith(2, 0)).rejects.toThrow("the database is away");
    expect(store.reads).toBe(reads);
    await expect(ring.signingKey(30 * dayUs)).rejects.toThrow("the database is away");
    store.failure = undefined;
    expect((await ring.signingKey(30 * dayUs)).sequence).toBe(2);
    expect(await ring.keyWith(3, 30 * dayUs)).toBeUndefined();
  });

  it("keeps the newest 64 keys in memory, however many there are", async () => {
    const store = new CountedKeys();
    for (let sequence = 1; sequence <= 70; sequence++) {
      const times = { createdAtUs: 0, signsUntilUs: dayUs, expiresAtUs: 2 * dayUs };
      await store.insertSigningKey({ purpose: "test", sequence, secret: new Uint8Array(64), ...times });
    }
    const ring = new KeyRing(store, options);
    expect((await ring.signingKey(0)).sequence).toBe(70);
    expect(await ring.keyWith(6, 0)).toBeUndefined();
    expect((await ring.keyWith(7, 0))?.sequence).toBe(7);
  });

  it("says so when a store does not keep what it is given", async () => {
    const forgetful: SigningKeyStore = {
      signingKeys: async () => [],
      insertSigningKey: async () => {},
      deleteSigningKeys: async () => {},
    };
    await expect(new KeyRing(forgetful, options).signingKey(0)).rejects.toThrow(
      "the store has no signing key although one was just stored in it",
    );
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])("refuses to rotate every %d ms", (rotateEveryMs) => {
    expect(() => new KeyRing(new MemorySigningKeys(), { ...options, rotateEveryMs })).toThrow(RangeError);
  });
});

describe("keys are kept", () => {
  it("where it is said, or in the store, or in this process when the store keeps none", async () => {
    const own = new MemorySigningKeys();
    const store = new MemoryStore();
    const without = { agent: async () => undefined } as Partial<AgentStore> as AgentStore;
    expect(signingKeyStore(own, store)).toBe(own);
    expect(signingKeyStore(undefined, store)).toBe(store);
    expect(signingKeyStore(undefined, without)).toBeInstanceOf(MemorySigningKeys);
  });
});
