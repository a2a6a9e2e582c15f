import { describe, expect, test } from "vitest";
import { generatedFiles, minors, readSet } from "./contract.js";
import { describeTypes } from "./describe-schemas.js";
import { sinceByContract } from "./since.js";

/** Servers of the minor on the left already had some of what the one on the right promises. */
const early: Record<number, number> = { 2: 3, 8: 9 };

describe.each(minors)("the schemas of API 2.%i", (minor) => {
  const then = describeTypes(readSet(`v2.${minor}`).files);
  const now = describeTypes(generatedFiles);

  test("are part of the newest, unchanged", () => {
    const today = Object.keys(then).map((name) => [name, now[name]]);
    expect(then).toEqual(Object.fromEntries(today));
  });

  test("have everything that is promised since then or before", () => {
    const promised = Object.entries(sinceByContract()).filter(([, since]) => since <= minor);
    expect(promised.filter(([name]) => !(name in then))).toEqual([]);
    expect(promised.length).toBeGreaterThan(0);
  });

  test("have nothing that is promised later, but for what servers had early", () => {
    const since = sinceByContract();
    const later = Object.keys(then).filter((name) => (since[name] ?? 0) > minor);
    const promisedIn = new Set(later.map((name) => since[name]));
    expect([...promisedIn]).toEqual(minor in early ? [early[minor]] : []);
  });
});
