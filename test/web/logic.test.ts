import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { AgentSchema } from "../../src/gen/agentwire/admin/v1/admin_pb.js";
import { agentTree, inTreeOrder } from "../../web/agent-order.js";
import { Coalesced } from "../../web/coalesced.js";
import { spanGroups } from "../../web/script-groups.js";
import { age, bytes, duration, printable } from "../../web/words.js";
import { eventually } from "../support/control-plane.js";

describe("what the page is made of", () => {
  it("puts agents below those that made them, and keeps those whose maker is gone", () => {
    const agents = [
      ["a", ""],
      ["b", "a"],
      ["c", "b"],
      ["d", "gone"],
      ["e", "a"],
    ].map(([id = "", parentId = ""]) => create(AgentSchema, { id, parentId }));
    const rows = inTreeOrder(agentTree(agents)).map(({ agent: { id }, depth }) => `${id}${depth}`);
    expect(rows).toEqual(["a0", "b1", "c2", "e1", "d0"]);
  });

  it("has runs with a long pause between them in groups of their own, newest first", () => {
    const span = (startMs: number, endMs: number) => ({ startMs, endMs });
    const groups = spanGroups([span(5000, 5100), span(0, 2000), span(100, 300), span(2900, 3000)], 1000);
    expect(groups).toEqual([
      { startMs: 5000, endMs: 5100, spans: [span(5000, 5100)] },
      { startMs: 0, endMs: 3000, spans: [span(0, 2000), span(100, 300), span(2900, 3000)] },
    ]);
    expect(spanGroups([], 1000)).toEqual([]);
  });

  it("does work once, however often it is asked for meanwhile, and none after its end", async () => {
    let runs = 0;
    let finish = () => {};
    const work = new Coalesced(async () => {
      runs++;
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
    }, 1);
    work.ask();
    work.ask();
    await eventually(() => runs === 1);
    for (let i = 0; i < 5; i++) work.ask();
    finish();
    await eventually(() => runs === 2);
    work.ask();
    work.end();
    finish();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(runs).toBe(2);
  });

  it("says figures as people read them", () => {
    expect([0, 1023, 1024, 1536, 123_456_789].map(bytes)).toEqual([
      "0 B",
      "1023 B",
      "1.0 KiB",
      "1.5 KiB",
      "118 MiB",
    ]);
    expect([0, 999, 1500, 61_000, 7_200_000, 200_000_000].map(duration)).toEqual([
      "0 ms",
      "999 ms",
      "1.5 s",
      "1 min",
      "2 h",
      "2 days",
    ]);
    expect([-50, 999, 1000, 59_999, 60_000].map(age)).toEqual([
      "now",
      "now",
      "1 s ago",
      "59 s ago",
      "1 min ago",
    ]);
  });

  it("takes out of lines what is for terminals", () => {
    expect(printable("red \u001b[31mtext\u001b[0m \u0007and\u001b]0;title\u0007 more\u001b")).toBe(
      "red text and more",
    );
    expect(printable("tab\tand 漢字")).toBe("tab\tand 漢字");
  });
});
