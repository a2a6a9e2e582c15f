import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MessageQueue } from "../../src/rpc/message-queue.js";
import { runs } from "../support/scale.js";

/** A reader that gives what it has until the queue is full, and goes on when there is room. */
class Reader {
  readonly queue: MessageQueue<Uint8Array>;
  readonly waiting: Uint8Array[] = [];
  isPaused = false;
  hasReturned = false;

  constructor() {
    this.queue = new MessageQueue<Uint8Array>(this);
  }

  give(...messages: Uint8Array[]): void {
    this.waiting.push(...messages);
    this.#goOn();
  }

  decode(bytes: Uint8Array): Uint8Array {
    return bytes;
  }

  onRoom(): void {
    this.isPaused = false;
    this.#goOn();
  }

  onReturn(): void {
    this.hasReturned = true;
  }

  #goOn(): void {
    while (!this.isPaused) {
      const next = this.waiting.shift();
      if (next === undefined) return;
      this.isPaused = !this.queue.push(next);
    }
  }
}

/** Messages that came together. */
function lot(sizes: number[], fill: number): Uint8Array[] {
  const bytes = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0)).fill(fill);
  let end = 0;
  return sizes.map((size) => {
    end += size;
    return bytes.subarray(end - size, end);
  });
}

describe("messages that an application has not taken", () => {
  it("of one lot are kept as they came, and one of the next lot is copied", async () => {
    const reader = new Reader();
    const first = lot([1000, 1000, 1000], 1);
    const second = lot([1000, 1000, 1000], 2);
    reader.give(...first, ...second);
    expect(reader.waiting).toHaveLength(2);
    const taken: Uint8Array[] = [];
    for (let i = 0; i < 6; i++) taken.push((await reader.queue.next()).value ?? new Uint8Array());
    expect(taken.map((bytes) => bytes[0])).toEqual([1, 1, 1, 2, 2, 2]);
    const isCopy = taken.map((bytes, i) => bytes.buffer !== [...first, ...second][i]?.buffer);
    expect(isCopy).toEqual([false, false, false, true, false, false]);
  });

  it("are taken with all of their lot, which is there anyway, and stop the reader with the next", () => {
    const reader = new Reader();
    reader.give(...lot(Array<number>(64).fill(1024), 1));
    expect(reader.isPaused).toBe(false);
    expect(reader.queue.heldBytes).toBe(64 * 1024);
    reader.give(...lot([1024, 1024], 2));
    expect(reader.isPaused).toBe(true);
    expect(reader.waiting).toHaveLength(1);
  });

  it.each([
    ["kept as they came, by what each costs beside its bytes", 600, 100, 128],
    ["copied, of a lot that is too large to be kept", 100, 1024, 1024 + 384],
  ])("stop the reader at 48 KiB, until all of them are taken: %s", async (_, count, bytes, cost) => {
    const reader = new Reader();
    reader.give(...lot(Array<number>(count).fill(bytes), 1));
    expect(reader.isPaused).toBe(true);
    const held = count - reader.waiting.length;
    expect(held).toBe(Math.ceil((48 * 1024) / cost));
    expect(reader.queue.heldBytes).toBe(held * bytes);
    for (let i = 1; i < held; i++) await reader.queue.next();
    expect(reader.waiting).toHaveLength(count - held);
    await reader.queue.next();
    expect(reader.waiting.length).toBeLessThan(count - held);
  });

  it("stop the reader with one message of 48 KiB", async () => {
    const reader = new Reader();
    reader.give(...lot([48 * 1024, 10], 1));
    expect(reader.waiting).toHaveLength(1);
    await reader.queue.next();
    expect(reader.waiting).toHaveLength(0);
  });

  it("come in order and all of them, and keep no more memory than a lot and the limit", async () => {
    const step = fc.oneof(
      fc.record({ give: fc.array(fc.integer({ min: 0, max: 30_000 }), { minLength: 1, maxLength: 6 }) }),
      fc.record({ take: fc.integer({ min: 1, max: 6 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const reader = new Reader();
        const given: string[] = [];
        const taken: string[] = [];
        const word = (bytes: Uint8Array | undefined) => `${bytes?.length} of ${bytes?.[0]}`;
        let fill = 0;
        const takeOne = async () => {
          taken.push(word((await reader.queue.next()).value));
        };
        for (const one of steps) {
          if ("give" in one) {
            const messages = lot(one.give, fill++ % 256);
            given.push(...messages.map(word));
            reader.give(...messages);
          } else {
            for (let i = 0; i < one.take && taken.length < given.length; i++) await takeOne();
          }
          const isEmpty = taken.length === given.length;
          if (isEmpty) expect(reader.isPaused).toBe(false);
        }
        while (taken.length < given.length) await takeOne();
        expect(taken).toEqual(given);
      }),
      runs(100),
    );
  });
});
