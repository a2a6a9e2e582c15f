import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  encodeMetadata,
  encodePacket,
  Flag,
  FrameType,
  PacketKind,
  writeHeader,
} from "../../src/codec/index.js";
import { ConnectionDecoder } from "../../src/observe/index.js";
import { runs } from "../support/scale.js";
import { cut, type RecordedBytes, vectors } from "../support/vectors.js";
import { calls, decoder, type Step, stepsOf, words } from "./support.js";

interface Message {
  dir: "c2s" | "s2c";
  payload: RecordedBytes;
  frames?: string[];
}
interface Tape {
  name: string;
  steps: { dir: "c2s" | "s2c"; bytes?: RecordedBytes; close?: boolean; frames?: string[] }[];
}

const { sessions } = vectors<{ sessions: { name: string; messages: Message[] }[] }>("websocket");
const conversations = vectors<{ sessions: Tape[]; violations: Tape[] }>("drpc-sessions");
const yamux = vectors<{ sessions: Tape[]; serverReceives: Tape[] }>("yamux-sessions");

/** What a tape tells, message by message. */
function told(steps: readonly Step[], options: Parameters<typeof decoder>[0] = {}) {
  const { decoder: made, events } = decoder(options);
  for (const { direction, bytes } of steps) made.message(direction, bytes);
  made.end();
  return events;
}

describe("what a connection tells", () => {
  it.each(sessions)("$name: the frames and packets that the recording has", ({ messages }) => {
    const { decoder: made, events } = decoder();
    for (const { direction, bytes } of stepsOf(messages)) made.message(direction, bytes);
    // a packet is told once, when its last frame is there
    const expected = messages
      .flatMap(({ frames = [] }) => frames)
      .filter((frame) => frame.startsWith("yamux") || frame.includes(" done"))
      .map((frame) => (frame.startsWith("drpc") ? frame.replace(/ length=\d+/, "") : frame));
    expect(events.flatMap((event) => words(event) ?? [])).toEqual(expected);
    expect(events.filter(({ type }) => type === "broken")).toEqual([]);
  });

  it("tells an RPC from its begin to its end, with its messages as JSON", () => {
    const session = sessions.find(({ name }) => name === "batch-create-logs");
    const events = told(stepsOf(session?.messages ?? []));
    const rpc = "/coder.agent.v2.Agent/BatchCreateLogs";
    expect(events.filter(({ type }) => type.startsWith("rpc"))).toMatchObject([
      { type: "rpc-begin", connection: 1, stream: 1, rpc },
      {
        type: "rpc-message",
        direction: "to-server",
        rpc,
        json: { logSourceId: expect.any(String), logs: [{}, {}] },
      },
      { type: "rpc-message", direction: "to-client", rpc, json: {} },
      {
        type: "rpc-end",
        rpc,
        code: "ok",
        durationMs: 0,
        toServer: { messages: 1 },
        toClient: { messages: 1, bytes: 0 },
      },
    ]);
  });

  it.each([
    ["errors", ["unknown", "unimplemented"]],
    ["unknown-rpc", ["unimplemented"]],
    ["two-calls-at-once", ["ok", "ok"]],
    ["calls-in-turn", ["ok", "ok", "ok"]],
    ["stream-derp-maps", ["ok"]],
    ["stream-derp-maps-cancel", ["canceled"]],
    ["coordinate", ["ok"]],
    ["big-request", ["ok"]],
  ])("%s: how calls end", (name, codes) => {
    const events = told(stepsOf(sessions.find((one) => one.name === name)?.messages ?? []));
    const ends = events.flatMap((event) => (event.type === "rpc-end" ? event.code : []));
    expect(ends).toEqual(codes);
  });

  it.each([
    ["unary-ok", ["begin Agent/UpdateLifecycle", "-> 18", "<- 16", "end ok"]],
    [
      "unary-error-code-0",
      ["begin Agent/UpdateLifecycle", "-> 18", "end unknown: update lifecycle: database is down"],
    ],
    ["unary-error-code-12", ["begin Agent/UpdateLifecycle", "-> 18", "end unimplemented: Unimplemented"]],
    ["server-stream-closes", ["begin Tailnet/StreamDERPMaps", "-> 0", "<- 40", "<- 40", "<- 40", "end ok"]],
    [
      "client-closes-early",
      [
        "begin Tailnet/Coordinate",
        "-> 20",
        "<- 32",
        "end canceled: closed by the caller before its end",
        "begin Agent/UpdateLifecycle",
        "-> 18",
        "<- 16",
        "end ok",
      ],
    ],
    [
      "client-cancel-hard",
      [
        "begin Tailnet/Coordinate",
        "-> 20",
        "<- 32",
        "end unavailable: the connection ended before the call did",
      ],
    ],
  ])("%s: a conversation without yamux", (name, expected) => {
    const tape = conversations.sessions.find((one) => one.name === name);
    expect(calls(told(stepsOf(tape?.steps ?? []), { carries: "drpc" }))).toEqual(expected);
  });

  it("says metadata with the call", () => {
    const tape = conversations.sessions.find(({ name }) => name === "unary-metadata");
    const [begin] = told(stepsOf(tape?.steps ?? []), { carries: "drpc" }).filter(
      ({ type }) => type === "rpc-begin",
    );
    expect(begin).toMatchObject({ metadata: { "x-request-id": "r-42 ✓" } });
  });

  it("keeps count of the windows of streams", () => {
    const { decoder: made, events } = decoder();
    made.message("to-server", frame(FrameType.WindowUpdate, Flag.Syn, 1, 1000));
    made.message("to-client", frame(FrameType.WindowUpdate, Flag.Ack, 1, 0));
    made.message("to-server", frame(FrameType.Data, 0, 1, 100, new Uint8Array(100)));
    made.message("to-client", frame(FrameType.WindowUpdate, 0, 1, 50));
    made.message("to-client", frame(FrameType.Ping, Flag.Ack, 0, 7));
    const windows = events.flatMap((event) => (event.type === "frame" ? [event.window] : []));
    expect(windows).toEqual([262144 + 1000, 262144, 262144 - 100, 262144 - 50, undefined]);
  });
});

describe("bytes that are wrong", () => {
  it("that are no yamux are told once; the other direction goes on", () => {
    const { decoder: made, events } = decoder();
    made.message("to-server", Buffer.from("GET / HTTP/1.1\r\n"));
    made.message("to-server", Buffer.from("more"));
    made.message("to-client", frame(FrameType.Ping, Flag.Syn, 0, 1));
    expect(events.filter(({ type }) => type === "broken")).toMatchObject([
      { direction: "to-server", layer: "yamux", text: expect.stringContaining("version 71") },
    ]);
    expect(events.filter(({ type }) => type === "websocket")).toHaveLength(3);
    expect(events.at(-1)).toMatchObject({ type: "frame", frame: "ping" });
  });

  it("on one stream leave the others as they are", () => {
    const { decoder: made, events } = decoder();
    made.message("to-server", open(1, Buffer.from("ffffffffffffffffffffffffffff", "hex")));
    made.message("to-server", open(3, invoke("/coder.agent.v2.Agent/GetManifest")));
    expect(events.filter(({ type }) => type === "broken")).toMatchObject([{ layer: "drpc", stream: 1 }]);
    expect(calls(events).at(-1)).toBe("begin Agent/GetManifest");
  });

  it("in a message are told with the call, which goes on", () => {
    const { decoder: made, events } = decoder();
    const request = encodePacket(PacketKind.Message, 1, 2, Buffer.from("ff", "hex"));
    const answer = encodePacket(PacketKind.Message, 1, 1, new Uint8Array(0));
    made.message("to-server", open(1, invoke("/coder.agent.v2.Agent/GetManifest"), request));
    made.message("to-client", frame(FrameType.Data, 0, 1, answer.length, answer));
    expect(calls(events)).toEqual([
      "begin Agent/GetManifest",
      "-> 1",
      expect.stringContaining("broken message: not a coder.agent.v2.GetManifestRequest"),
      "<- 0",
      "end ok",
    ]);
  });

  it("in metadata are told, and the call goes on", () => {
    const { decoder: made, events } = decoder();
    const metadata = encodePacket(PacketKind.InvokeMetadata, 1, 1, Buffer.from("nonsense"));
    made.message("to-server", open(1, metadata, invoke("/coder.agent.v2.Agent/GetManifest", 2)));
    expect(calls(events)).toEqual([expect.stringContaining("broken drpc"), "begin Agent/GetManifest"]);
  });

  it("never make more memory be kept than is allowed", () => {
    const { decoder: made, events } = decoder({ maxHeldBytes: 1000, maxPacketBytes: 1_000_000 });
    const begun = encodePacket(PacketKind.Message, 1, 1, new Uint8Array(900_000)).subarray(0, 400);
    for (const id of [1, 3, 5]) made.message("to-server", open(id, begun));
    expect(events.filter(({ type }) => type === "broken")).toMatchObject([
      { stream: 5, text: "more than 1000 bytes of packets that are not complete" },
    ]);
  });

  it("and metadata without calls neither", () => {
    const { decoder: made, events } = decoder({ maxHeldBytes: 1000 });
    const metadata = encodePacket(PacketKind.InvokeMetadata, 1, 1, new Uint8Array(400));
    for (const id of [1, 3, 5, 7]) made.message("to-server", open(id, metadata));
    const broken = events.flatMap((event) => (event.type === "broken" ? event.stream : []));
    expect(broken).toEqual([5, 7]);
  });

  it("have names of calls that are not longer than names can be", () => {
    const { decoder: made, events } = decoder();
    made.message("to-server", open(1, invoke(`/${"x".repeat(100_000)}`)));
    expect(events.at(-1)).toMatchObject({ type: "rpc-begin", rpc: `/${"x".repeat(511)}` });
  });

  it("whatever they are, nothing is thrown", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.uint8Array({ maxLength: 64 }))), (parts) => {
        const { decoder: made } = decoder();
        for (const [isOut, bytes] of parts) made.message(isOut ? "to-server" : "to-client", bytes);
        made.end();
      }),
      runs(200),
    );
  });

  it.each([...conversations.violations, ...yamux.serverReceives.slice(0, 40)])(
    "$name: is told to its end",
    ({ steps }) => {
      for (const carries of ["yamux", "drpc"] as const) {
        expect(told(stepsOf(steps), { carries }).at(-1)).toMatchObject({ type: "end" });
      }
    },
  );

  it("and a listener that throws, do not stop what is watched", () => {
    let seen = 0;
    const made = new ConnectionDecoder(() => {
      seen++;
      throw new Error("no");
    });
    made.message("to-server", frame(FrameType.Ping, Flag.Syn, 0, 1));
    made.end();
    expect(seen).toBe(3);
  });
});

describe("bytes that are cut anywhere", () => {
  it.each(sessions)("$name: tell the same", ({ messages }) => {
    const steps = stepsOf(messages);
    const whole = told(steps).filter(({ type }) => type !== "websocket");
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 }), (sizes) => {
        const cutSteps = steps.flatMap(({ direction, bytes }) =>
          cut(bytes, sizes).map((piece) => ({ direction, bytes: piece })),
        );
        expect(told(cutSteps).filter(({ type }) => type !== "websocket")).toEqual(whole);
      }),
      runs(10),
    );
  });
});

/** A yamux frame. */
function frame(
  type: FrameType,
  flags: number,
  stream: number,
  length: number,
  body: Uint8Array = new Uint8Array(0),
) {
  const bytes = new Uint8Array(12 + body.length);
  bytes.set(body, writeHeader(bytes, 0, type, flags, stream, length));
  return bytes;
}

/** A stream's first frame. */
function open(stream: number, ...parts: Uint8Array[]) {
  const body = Buffer.concat(parts);
  return frame(FrameType.Data, Flag.Syn, stream, body.length, body);
}

function invoke(rpc: string, message = 1) {
  return encodePacket(PacketKind.Invoke, 1, message, Buffer.from(rpc));
}

describe("secrets", () => {
  it("in metadata are hidden by their name, and by their looks", () => {
    const { decoder: made, events } = decoder({ secrets: ["6f3e2a4c-1b7d"] });
    const pairs = [
      ["x-api-key", "abc"],
      ["note", "the key is 6f3e2a4c-1b7d, or eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig"],
      ["traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
    ] as const;
    const metadata = encodePacket(PacketKind.InvokeMetadata, 1, 1, encodeMetadata(pairs));
    made.message("to-server", open(1, metadata, invoke("/a.B/C", 2)));
    expect(events.find(({ type }) => type === "rpc-begin")).toMatchObject({
      metadata: {
        "x-api-key": "[hidden]",
        note: "the key is [hidden], or [hidden]",
        traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
      },
    });
  });
});
