import { describe, expect, it, onTestFinished, vi } from "vitest";
import {
  createYamuxSession,
  PulledStream,
  type SessionOptions,
  TransportError,
  type TransportErrorCode,
  type YamuxSession,
  type YamuxStream,
} from "../../src/transport/index.js";
import { ScriptedConnection, settle } from "../support/scripted-connection.js";
import { hex, type RecordedBytes, recorded, vectors } from "../support/vectors.js";

interface Recording {
  name: string;
  about: string;
  setup?: "no-accept" | "no-read" | "no-close" | "go-away";
  steps: { dir: "c2s" | "s2c"; bytes?: RecordedBytes; close?: boolean; frames?: string[] }[];
  trials: number;
  closed: number;
  alive: number;
  goAways: Record<string, number>;
  error?: string;
  events?: { did: string; data?: RecordedBytes; text?: string }[];
}

const { serverReceives, clientReceives } = vectors<{
  serverReceives: Recording[];
  clientReceives: Recording[];
}>("yamux-sessions");

/** The reference's reasons, and ours with the go away that tells the peer. */
const reasons: Record<string, { code: TransportErrorCode; goAway?: number }> = {
  "invalid protocol version": { code: "protocol-error", goAway: 1 },
  "invalid msg type": { code: "protocol-error", goAway: 1 },
  "duplicate stream initiated": { code: "protocol-error", goAway: 1 },
  "unexpected flag": { code: "protocol-error", goAway: 1 },
  "recv window exceeded": { code: "protocol-error", goAway: 1 },
  "yamux protocol error": { code: "peer-protocol-error" },
  "remote yamux internal error": { code: "peer-internal-error" },
  "unexpected go away received": { code: "peer-internal-error" },
  "keepalive timeout": { code: "ping-timeout" },
};

function session(options: SessionOptions): [YamuxSession, ScriptedConnection] {
  const connection = new ScriptedConnection();
  const made = createYamuxSession(connection, { keepAliveIntervalMs: 0, ...options });
  onTestFinished(() => made.close());
  return [made, connection];
}

/** The application of the recordings: sends back what it reads and closes at the end. */
async function echo(accepted: YamuxStream, events: string[], setup: Recording["setup"]) {
  const { id } = accepted;
  events.push(`accepted stream ${id}`);
  if (setup === "no-read") return;
  const stream = new PulledStream(accepted);
  try {
    for (let bytes = await stream.read(); bytes !== undefined; bytes = await stream.read()) {
      events.push(`stream ${id} read ${hex(bytes)}`);
      await stream.write(bytes);
    }
    if (setup === "no-close") return;
    stream.closeWrite();
  } catch (error) {
    if (!(error instanceof TransportError)) throw error;
    events.push(`stream ${id} failed: ${error.code}`);
  }
}

/** What the application of a recording saw, in our words. */
function expectedEvents(recording: Recording, endCode: TransportErrorCode | undefined): string[] {
  const found: string[] = [];
  for (const { did, data, text } of recording.events ?? []) {
    if (data !== undefined) found.push(`${did} ${hex(recorded(data))}`);
    else if (text === "connection reset")
      found.push(`${did.replace(" read ended", "")} failed: stream-reset`);
    // the reference ends the reads of a dead session with EOF; ours give the reason
    else if (text === "EOF" && endCode !== undefined)
      found.push(`${did.replace(" read ended", "")} failed: ${endCode}`);
    else if (text === undefined) found.push(did);
  }
  return found;
}

/** Feeds one side's bytes; between two steps the application has time, as it had in the recording. */
async function feedAll(recording: Recording, connection: ScriptedConnection, dir: "c2s" | "s2c") {
  for (const step of recording.steps) {
    if (step.dir === dir && step.bytes !== undefined) connection.feed(recorded(step.bytes));
    await settle();
  }
}

const pong = "Ping[ACK] stream=0 length=12648430";

/** Differences from the recordings that are meant. */
const meant: Record<string, string> = {
  // The reference hands data to the application that came after the FIN; ours drops it.
  "data-after-fin": "accepted stream 1",
  // The reference accepts a stream that was reset in the frame that opened it.
  "syn-rst": "",
};

describe("W3 a server makes of hand-made bytes what the reference server makes", () => {
  it.each(serverReceives)("$name: $about", async (recording) => {
    const events: string[] = [];
    const { setup } = recording;
    const [server, connection] = session({
      role: "server",
      ...(setup === "no-accept" ? {} : { onStream: (stream) => void echo(stream, events, setup) }),
    });
    if (setup === "go-away") server.goAway();
    await feedAll(recording, connection, "c2s");
    const end = server.error;
    if (recording.closed > 0) {
      const reason = reasons[recording.error ?? ""];
      expect(reason, `a reason for ${recording.error}`).toBeDefined();
      expect(end?.code).toBe(reason?.code);
      const goAways = connection.frames.filter((frame) => frame.startsWith("GoAway"));
      expect(goAways).toEqual(
        reason?.goAway === undefined ? [] : [`GoAway[] stream=0 length=${reason.goAway}`],
      );
      expect(connection.closedWith).toBeDefined();
    } else {
      expect(end).toBeUndefined();
      expect(connection.frames.includes(pong)).toBe(recording.alive > 0);
    }
    if (setup === "no-accept") return;
    const expected =
      meant[recording.name]?.split("\n").filter(Boolean) ?? expectedEvents(recording, end?.code);
    expect(events).toEqual(expected);
  });
});

describe("W3 a client makes of hand-made bytes what the reference client makes", () => {
  it.each(clientReceives)("$name: $about", async (recording) => {
    const isTimed = /no-ack-in-time|keepalive/.test(recording.name);
    if (isTimed) {
      vi.useFakeTimers({
        toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"],
      });
      onTestFinished(() => void vi.useRealTimers());
    }
    const [client, connection] = session({
      role: "client",
      streamOpenTimeoutMs: 100,
      ...(recording.name.startsWith("keepalive") ? { keepAliveIntervalMs: 40, pingTimeoutMs: 100 } : {}),
    });
    const events: string[] = [];
    const stream = new PulledStream(await client.open());
    const reading = (async () => {
      events.push("opened stream 1");
      try {
        for (let bytes = await stream.read(); bytes !== undefined; bytes = await stream.read()) {
          events.push(`read ${hex(bytes)}`);
        }
        stream.closeWrite();
      } catch (error) {
        if (!(error instanceof TransportError)) throw error;
        events.push(`read failed: ${error.code}`);
      }
    })();
    await settle();
    expect(connection.frames).toEqual(["WindowUpdate[SYN] stream=1 length=0"]);
    await feedAll(recording, connection, "s2c");
    if (isTimed) {
      await vi.advanceTimersByTimeAsync(1000);
      await settle();
    }
    if (recording.closed > 0) {
      const byName = recording.name === "no-ack-in-time" ? "open-timeout" : undefined;
      const code = byName ?? reasons[recording.error ?? ""]?.code;
      expect(client.error?.code).toBe(code);
      expect(events).toEqual(["opened stream 1", `read failed: ${code}`]);
      await expect(client.open()).rejects.toBe(client.error);
    } else {
      expect(client.error).toBeUndefined();
      expect(connection.frames).toContain(pong);
      const wasReset = /rst/.test(recording.name);
      const hasEnded = !wasReset && recording.name !== "server-opens";
      const data = recording.events
        ?.filter(({ did }) => did === "read")
        .map(({ data }) => hex(recorded(data ?? "")));
      const ending = recording.name === "ack-rst" ? "stream-reset" : "stream-refused";
      expect(events).toEqual([
        "opened stream 1",
        ...(data ?? []).map((bytes) => `read ${bytes}`),
        ...(wasReset ? [`read failed: ${ending}`] : []),
      ]);
      expect(connection.frames.includes("WindowUpdate[FIN] stream=1 length=0")).toBe(hasEnded);
      if (recording.name === "go-away-0") {
        await expect(client.open()).rejects.toMatchObject({ code: "not-accepting" });
      } else {
        expect((await client.open()).id).toBe(3);
      }
    }
    await client.close();
    await reading;
  });
});
