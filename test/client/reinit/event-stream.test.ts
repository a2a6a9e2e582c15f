import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventStreamReader, type StreamEvent } from "../../../src/client/reinit/event-stream.js";
import { runs } from "../../support/scale.js";

const maxLineBytes = 40;

interface Outcome {
  events: StreamEvent[];
  error: string | undefined;
}

/** Reads pieces: the events before the first error, and its text. */
function outcome(pieces: readonly Uint8Array[]): Outcome {
  const reader = new EventStreamReader(maxLineBytes);
  const events: StreamEvent[] = [];
  try {
    for (const piece of pieces) for (const event of reader.push(piece)) events.push(event);
  } catch (error) {
    return { events, error: (error as Error).message };
  }
  return { events, error: undefined };
}

const read = (text: string) => outcome([Buffer.from(text)]);
const data = (text: string): StreamEvent => ({ name: "data", data: text });

/** What C1.61 says, of a whole text, line by line. */
function model(text: string): Outcome {
  const events: StreamEvent[] = [];
  const lines = text.split("\n");
  const rest = lines.pop() ?? "";
  let awaited: string | undefined;
  const tooLong = `a line of the events is longer than ${maxLineBytes} bytes`;
  for (const full of lines) {
    if (Buffer.byteLength(full) > maxLineBytes) return { events, error: tooLong };
    const line = full.endsWith("\r") ? full.slice(0, -1) : full;
    if (line.trim() === "") continue;
    const field = awaited === undefined ? "event" : "data";
    if (!line.startsWith(`${field}: `)) return { events, error: `expecting ${field} prefix, got: ${line}` };
    const value = line.slice(field.length + 2).trim();
    if (awaited !== undefined) {
      events.push({ name: awaited as "data", data: value });
      awaited = undefined;
    } else if (value === "data" || value === "error") awaited = value;
    else if (value !== "ping") return { events, error: `unknown event type: ${value}` };
  }
  return { events, error: Buffer.byteLength(rest) > maxLineBytes ? tooLong : undefined };
}

describe("C1.61 events of a server, read strictly", () => {
  it.each([
    ["an event", "event: data\ndata: x\n\n", [data("x")]],
    ["pings, which have no data", "event: ping\n\nevent: ping\nevent: data\ndata: x\n", [data("x")]],
    ["blank lines, anywhere", "\n \n\nevent: data\n\n\t\ndata: x\n", [data("x")]],
    ["ends of lines with CRLF", "event: data\r\ndata: x\r\n\r\n", [data("x")]],
    [
      "several events",
      "event: data\ndata: 1\n\nevent: error\ndata: 2\n\n",
      [data("1"), { name: "error", data: "2" }],
    ],
    ["empty data", "event: data\ndata: \n", [data("")]],
    ["an event without the end of its line: none", "event: data\ndata: x", []],
    ["nothing", "", []],
  ] as [string, string, StreamEvent[]][])("%s", (_what, text, events) => {
    expect(read(text)).toEqual({ events, error: undefined });
  });

  it.each([
    ["a comment", ": hello\n", "expecting event prefix, got: : hello"],
    ["an id", "id: 1\n", "expecting event prefix, got: id: 1"],
    ["a retry", "retry: 1\r\n", "expecting event prefix, got: retry: 1"],
    ["data without an event", "data: x\n", "expecting event prefix, got: data: x"],
    ["data after a ping", "event: ping\ndata: x\n", "expecting event prefix, got: data: x"],
    ["a name without a blank", "event:data\n", "expecting event prefix, got: event:data"],
    ["a blank in front", " event: data\n", "expecting event prefix, got:  event: data"],
    ["an unknown name", "event: hello\n", "unknown event type: hello"],
    ["an event without data", "event: data\nevent: data\n", "expecting data prefix, got: event: data"],
    ["a line that is too long", "x".repeat(41), "a line of the events is longer than 40 bytes"],
  ])("%s is an error", (_what, text, error) => {
    expect(read(text)).toEqual({ events: [], error });
  });

  it("data in several lines are an error after the first, which is an event", () => {
    expect(read("event: data\ndata: 1\ndata: 2\n")).toEqual({
      events: [data("1")],
      error: "expecting event prefix, got: data: 2",
    });
  });

  it("a long line is shown by its start", () => {
    const reader = new EventStreamReader(1000);
    const text = Buffer.from(`${"x".repeat(500)}\n`);
    expect(() => [...reader.push(text)]).toThrow(`expecting event prefix, got: ${"x".repeat(200)}...`);
  });

  it("any text, cut anywhere, gives the same events and the same error", () => {
    const line = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom("event: data", "data: {}", "event: ping", "", "event: error") },
      {
        weight: 1,
        arbitrary: fc.constantFrom("data:x", ": c", "event: no", "\t", "data: größe 漢字", "x".repeat(45)),
      },
      { weight: 1, arbitrary: fc.string({ maxLength: 50, unit: "grapheme" }) },
    );
    const text = fc
      .array(fc.tuple(line, fc.constantFrom("\n", "\n", "\r\n", "")), { maxLength: 12 })
      .map((lines) => lines.flat().join(""));
    const cuts = fc.array(fc.nat(300), { maxLength: 12 });
    fc.assert(
      fc.property(text, cuts, (text, cuts) => {
        const bytes = Buffer.from(text);
        const at = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
        const pieces = at.slice(1).map((end, i) => bytes.subarray(at[i], end));
        expect(outcome(pieces)).toEqual(model(text));
        expect(outcome([...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(model(text));
      }),
      runs(1000),
    );
  });
});
