import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { agentAddresses, formatAddress, parseNodePrefix } from "../../../src/server/tailnet/node-address.js";

/** What Go's `netip.ParsePrefix` says of texts. */
interface Recorded {
  text: string;
  error?: string;
  bits: number;
  addr?: string;
}

const recorded = JSON.parse(readFileSync(new URL("go-prefixes.json", import.meta.url), "utf8")) as Recorded[];

function parsed(text: string): Recorded {
  try {
    const { address, bits } = parseNodePrefix(text);
    return { text, bits, addr: formatAddress(address) };
  } catch (error) {
    return { text, error: (error as Error).message, bits: 0 };
  }
}

describe("S4.12 prefixes are read as Go reads them", () => {
  it.each(recorded)("$text", (entry) => {
    expect(parsed(entry.text)).toEqual(entry);
  });

  it("an address that is much too long is named by its beginning", () => {
    expect(parsed(`${"é".repeat(1_000_000)}:/128`).error?.length).toBeLessThan(2000);
    expect(parsed(`::1/${"1".repeat(1_000_000)}`).error?.length).toBeLessThan(2000);
  });
});

it("S4.12 an agent has two addresses of its own and the legacy one", () => {
  expect(agentAddresses("01020304-0506-0708-090a-0b0c0d0e0f10").map(formatAddress)).toEqual([
    "fd7a:115c:a1e0:708:90a:b0c:d0e:f10",
    "fd60:627a:a42b:708:90a:b0c:d0e:f10",
    "fd7a:115c:a1e0:49d6:b259:b7ac:b1b2:48f4",
  ]);
  expect(() => agentAddresses("main")).toThrow('the id of an agent is a UUID, not "main"');
});
