import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StreamTable } from "../../src/transport/yamux/stream-table.js";
import { runs } from "../support/scale.js";

interface Step {
  kind: "add" | "delete" | "look" | "trim";
  id: number;
}

/** Ids of both sides, close together as in life, and far apart, so that some fall on the same slot. */
const id = fc.oneof(
  fc.integer({ min: 1, max: 40 }),
  fc.nat(200).map((n) => n * 256 + 1),
  fc.constant(0xffffffff),
);
const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom("add", "add", "add", "delete", "delete", "look", "trim"),
  id,
});

describe("the table of a session's streams", () => {
  it("has what a map has, whatever comes and goes", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const table = new StreamTable<{ id: number }>();
        const model = new Map<number, { id: number }>();
        for (const { kind, id } of steps) {
          const known = model.get(id);
          if (kind === "trim") table.trim();
          else if (kind === "delete") {
            expect(table.delete(known ?? { id })).toBe(model.delete(id));
          } else if (kind === "add" && known === undefined) {
            const stream = { id };
            model.set(id, stream);
            table.add(stream);
          }
          expect(table.get(id)).toBe(model.get(id));
          expect(table.size).toBe(model.size);
        }
        expect(new Set(table.all())).toEqual(new Set(model.values()));
        for (const [id, stream] of model) expect(table.get(id)).toBe(stream);
      }),
      runs(200),
    );
  });

  it("finds streams after 100,000 have come and gone, with 100 at a time", () => {
    const table = new StreamTable<{ id: number }>();
    const open: { id: number }[] = [];
    for (let id = 1; id < 200_000; id += 2) {
      const stream = { id };
      table.add(stream);
      open.push(stream);
      if (open.length > 100) expect(table.delete(open.shift() ?? stream)).toBe(true);
    }
    expect(table.size).toBe(100);
    expect(open.every((stream) => table.get(stream.id) === stream)).toBe(true);
  });
});
