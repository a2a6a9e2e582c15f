import { describe, expect, test } from "vitest";
import {
  enumSince,
  enumValueSince,
  fieldSince,
  messageSince,
  methodSince,
  newestMinor,
} from "../../src/gen/versions.js";
import { generated } from "./contract.js";
import { sinceByContract, sinceByOptions, sinceByVersions } from "./since.js";

describe("since when something is promised", () => {
  test("is in the options of the schemas as in the contract", () => {
    expect(sinceByOptions()).toEqual(sinceByContract());
  });

  test("is in versions.ts as in the contract", () => {
    expect(sinceByVersions()).toEqual(sinceByContract());
  });

  test("goes up to the newest minor", () => {
    expect(newestMinor).toBe(Math.max(...Object.values(sinceByContract())));
  });
});

describe("versions.ts", () => {
  test("names methods that exist", () => {
    const unknown = flatten(methodSince).filter(
      ([service, method]) => generated.getService(service)?.method[method] === undefined,
    );
    expect(unknown).toEqual([]);
  });

  test("names messages and enums that exist", () => {
    expect(Object.keys(messageSince).filter((name) => generated.getMessage(name) === undefined)).toEqual([]);
    expect(Object.keys(enumSince).filter((name) => generated.getEnum(name) === undefined)).toEqual([]);
  });

  test("names fields that exist and are newer than their message", () => {
    const messages: Readonly<Record<string, number>> = messageSince;
    const wrong = flatten(fieldSince).filter(
      ([message, field, since]) =>
        generated.getMessage(message)?.field[field] === undefined || since <= (messages[message] ?? since),
    );
    expect(wrong).toEqual([]);
  });

  test("names enum values that exist and are newer than their enum", () => {
    const enums: Readonly<Record<string, number>> = enumSince;
    const wrong = flatten(enumValueSince).filter(
      ([name, value, since]) =>
        !generated.getEnum(name)?.values.some((other) => other.localName === value) ||
        since <= (enums[name] ?? since),
    );
    expect(wrong).toEqual([]);
  });
});

function flatten(
  tables: Readonly<Record<string, Readonly<Record<string, number>>>>,
): [string, string, number][] {
  return Object.entries(tables).flatMap(([type, table]) =>
    Object.entries(table).map(([member, since]): [string, string, number] => [type, member, since]),
  );
}
