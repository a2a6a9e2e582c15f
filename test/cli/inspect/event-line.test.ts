import { describe, expect, it } from "vitest";
import { eventLine } from "../../../src/cli/inspect/event-line.js";
import type { WireEvent } from "../../../src/observe/index.js";

const paint = (style: unknown, text: string) => `<${String(style)}>${text}</>`;
const at = { time: 0, connection: 1, stream: 3, rpc: "/a.b.C/D" };

/** What comes after the time. */
function line(event: WireEvent): string {
  return eventLine(event, paint).replace(/^<dim>.*?<\/> /, "");
}

describe("a line for people", () => {
  it("has the direction, and what went wrong, in colours", () => {
    const message = { type: "rpc-message", ...at, bytes: 2, json: {} } as const;
    expect(line({ ...message, direction: "to-server" })).toBe(
      "#1 <cyan>→</> <bold>rpc   </> C/D stream 3, 2 B {}",
    );
    expect(line({ ...message, direction: "to-client" })).toBe(
      "#1 <green>←</> <bold>rpc   </> C/D stream 3, 2 B {}",
    );
    expect(
      line({
        type: "rpc-end",
        ...at,
        durationMs: 12_345,
        code: "unknown",
        drpcCode: 99,
        error: "no",
        toServer: { messages: 1, bytes: 2 },
        toClient: { messages: 0, bytes: 0 },
      }),
    ).toBe(
      "#1   <bold>rpc   </> <red>C/D stream 3 ends unknown (dRPC code 99): no (12.3 s, 1 → 2 B, 0 ← 0 B)</>",
    );
  });

  it("can do nothing to a terminal, whatever the other side says", () => {
    const json = { text: "a\u001b[2Jb\u009b31mc" };
    const shown = line({
      type: "rpc-message",
      ...at,
      rpc: "/x\u001b]0;t\u0007y",
      bytes: 1,
      direction: "to-client",
      json,
    });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
    expect(shown).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
  });
});
