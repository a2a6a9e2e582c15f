import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Notice, noticesOf, payloadsOf } from "../../../src/server/tailnet/postgres/notices.js";

const id = fc.uuid();
const connection = fc.maxSafeNat();
const notice = fc.oneof(
  fc.record({ of: fc.constant("join" as const), id, connection }),
  fc.record({ of: fc.constant("node" as const), id }),
  fc.record({ of: fc.constantFrom("tunnel" as const, "removed" as const), src: id, dst: id }),
  fc.record({
    of: fc.constant("gone" as const),
    id,
    connection,
    why: fc.constantFrom("disconnect" as const, "lost" as const, "slow" as const, "closed" as const),
  }),
  fc.record({ of: fc.constant("ready" as const), from: id, to: id }),
);

describe("notices between coordinators", () => {
  it("arrive as they were, in their order, in payloads that PostgreSQL carries", () => {
    fc.assert(
      fc.property(fc.array(notice, { maxLength: 400 }), (notices) => {
        const payloads = payloadsOf(notices as Notice[]);
        for (const payload of payloads) expect(payload.length).toBeLessThan(8000);
        expect(payloads.flatMap(noticesOf)).toEqual(notices);
      }),
    );
  });

  it("are as few messages as fit, also where all are as long as can be", () => {
    const uuid = "00000000-0000-0000-0000-000000000000";
    const longest: Notice[] = [
      { of: "gone", id: uuid, connection: Number.MAX_SAFE_INTEGER, why: "disconnect" },
      { of: "removed", src: uuid, dst: uuid },
    ];
    for (const each of longest) {
      const payloads = payloadsOf(Array<Notice>(850).fill(each));
      expect(payloads.length).toBe(10);
      expect(Math.max(...payloads.map(({ length }) => length))).toBeLessThan(8000);
    }
  });

  it.each([
    ["", "its kind is not known"],
    ["hello", "its kind is not known"],
    ["node:main", "an id is not a UUID"],
    ["join:00000000-0000-0000-0000-000000000000:", "a connection is not a number"],
    ["join:00000000-0000-0000-0000-000000000000:1.5", "a connection is not a number"],
    ["gone:00000000-0000-0000-0000-000000000000:1:toString", "it does not say how a connection ended"],
  ])("%s cannot be read", (payload, why) => {
    expect(() => noticesOf(payload)).toThrow(`A message on agentwire_tailnet cannot be read: ${why}.`);
  });
});
