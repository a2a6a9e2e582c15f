import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter, createClient } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { encodePacket, PacketKind, uint64 } from "../../src/codec/index.js";
import {
  Agent,
  LifecycleSchema,
  UpdateLifecycleRequestSchema,
} from "../../src/gen/coder/agent/v2/agent_pb.js";
import {
  CoordinateRequestSchema,
  CoordinateResponseSchema,
  DERPMapSchema,
  Tailnet,
} from "../../src/gen/coder/tailnet/v2/index_pb.js";
import {
  createDrpcTransport,
  createRpcTable,
  metadataKey,
  RpcError,
  serveStream,
} from "../../src/rpc/index.js";
import { MemoryStream } from "../support/memory-stream.js";
import { settle } from "../support/scripted-connection.js";
import { hex, type RecordedBytes, recorded, vectors } from "../support/vectors.js";

interface Did {
  did: string;
  data?: RecordedBytes;
  text?: string;
  code?: string;
  json?: unknown;
}
interface Session {
  name: string;
  about: string;
  steps: { dir: "c2s" | "s2c"; bytes?: RecordedBytes; close?: boolean }[];
  client?: Did[];
  server: Did[];
  serverCloses?: boolean;
}
interface StreamVector {
  name: string;
  steps: {
    packet: {
      kind: number;
      kindName: string;
      control: boolean;
      stream: string;
      message: string;
      data: string;
    };
    error?: string;
    terminated: boolean;
  }[];
  recv: string;
}

const { sessions, violations } = vectors<{ sessions: Session[]; violations: Session[] }>("drpc-sessions");
const { stream: streams } = vectors<{ stream: StreamVector[] }>("drpc-frames");

/** What the recorded application did: handlers that do it again, and note what they see. */
class Replayed {
  readonly saw: string[] = [];
  readonly #script: Did[];

  constructor(script: Did[]) {
    this.#script = script;
  }

  readonly routes = (router: ConnectRouter) => {
    router.service(Agent, {
      updateLifecycle: (request, context) => {
        this.saw.push(`called ${hex(toBinary(UpdateLifecycleRequestSchema, request))}`);
        const metadata = Object.fromEntries(context.values.get(metadataKey));
        if (Object.keys(metadata).length > 0) this.saw.push(JSON.stringify(metadata));
        const { text, code } = this.#next("returned error") ?? {};
        if (text !== undefined) {
          if (code === undefined) throw new Error(text);
          throw new ConnectError(text, Number(code));
        }
        return request.lifecycle ?? fromBinary(LifecycleSchema, new Uint8Array(0));
      },
      getServiceBanner: () => ({}),
      getManifest: (_request, context) => {
        this.saw.push("called");
        // the recorded handler waited until it was cancelled, unless it returned
        if (this.#script.find(({ did }) => did === "returned")?.text === undefined) return {};
        return new Promise((_resolve, reject) => {
          context.signal.addEventListener("abort", () => {
            this.saw.push("cancelled");
            reject(context.signal.reason);
          });
        });
      },
    });
    router.service(Tailnet, {
      streamDERPMaps: async function* (this: Replayed) {
        for (const { did, data } of this.#script)
          if (did === "sent") yield fromBinary(DERPMapSchema, recorded(data ?? ""));
        const failure = this.#script.find(({ did, text }) => did === "returned" && text !== undefined);
        if (failure !== undefined) throw new Error(failure.text);
      }.bind(this),
      coordinate: async function* (this: Replayed, requests: AsyncIterable<unknown>) {
        const answers = this.#script
          .filter(({ did }) => did === "sent")
          .map(({ data }) => recorded(data ?? ""));
        const first = this.#script.findIndex(({ did }) => did === "sent");
        const received = this.#script.findIndex(({ did }) => did === "received");
        if (first >= 0 && (received < 0 || first < received))
          yield fromBinary(CoordinateResponseSchema, answers.shift() ?? new Uint8Array());
        try {
          for await (const request of requests) {
            this.saw.push(`received ${hex(toBinary(CoordinateRequestSchema, request as never))}`);
            const answer = answers.shift();
            if (answer === undefined) return;
            yield fromBinary(CoordinateResponseSchema, answer);
          }
          this.saw.push("end of requests");
        } catch (error) {
          this.saw.push(`requests failed: ${(error as Error).constructor.name}`);
          throw error;
        }
      }.bind(this),
    });
  };

  #next(did: string): Did | undefined {
    const place = this.#script.findIndex((step) => step.did === did);
    return place < 0 ? undefined : this.#script.splice(place, 1)[0];
  }
}

async function replayToServer(session: Session) {
  const replayed = new Replayed([...session.server]);
  const stream = new MemoryStream();
  const errors: string[] = [];
  serveStream(stream, createRpcTable(replayed.routes), {
    onProtocolError: (error) => errors.push(error.rawMessage),
  });
  for (const step of session.steps) {
    if (step.dir !== "c2s") continue;
    if (step.bytes !== undefined) stream.feed(recorded(step.bytes));
    if (step.close) stream.end();
    await settle();
  }
  return { stream, errors, saw: replayed.saw };
}

/** What the recorded server wrote. */
function written(session: Session, dir: "c2s" | "s2c"): string {
  const bytes = session.steps
    .filter((s) => s.dir === dir && s.bytes !== undefined)
    .map((s) => recorded(s.bytes ?? ""));
  return hex(Buffer.concat(bytes));
}

/** What the recorded application was given, in the words of {@link Replayed}. */
function seen(script: Did[]): string[] {
  const words: string[] = [];
  for (const { did, data, json } of script) {
    if (did.startsWith("called") && did.includes("UpdateLifecycle"))
      words.push(`called ${hex(recorded(data ?? ""))}`);
    else if (did.includes("GetManifest")) words.push("called");
    else if (did === "metadata") words.push(JSON.stringify(json));
    else if (did === "received") words.push(`received ${hex(recorded(data ?? ""))}`);
  }
  return words;
}

describe("W4.5 a server in recorded conversations", () => {
  // Its requests are the text "big" and padding, which are no messages.
  const opaque = new Set(["big-request", "big-reply", "empty-messages"]);

  it.each(sessions.filter(({ name }) => !opaque.has(name)))("$name: $about", async (session) => {
    const { stream, errors, saw } = await replayToServer(session);
    expect(errors).toEqual([]);
    expect(saw.filter((word) => /^(called|received|\{)/.test(word))).toEqual(seen(session.server));
    // a stream that the server ends with Close is ended by ours with CloseSend, which callers take alike
    const ours = hex(Buffer.concat(stream.sent));
    const theirs = written(session, "s2c").replace(/0b010400$/, "0d010400");
    expect(ours).toBe(theirs);
    expect(stream.hasClosedWrite).toBe(true);
    expect(stream.wasReset).toBe(false);
  });

  it.each(sessions.filter(({ name }) => opaque.has(name)))(
    "$name: $about (bodies of any bytes)",
    async (session) => {
      const { stream, errors } = await replayToServer(session);
      expect(errors).toEqual([]);
      expect(stream.wasReset).toBe(false);
      expect(stream.packets.length).toBeGreaterThan(0);
    },
  );
});

/**
 * What ours does where the recorded server is stuck for ever, or the outcome is a race there. All others end as
 * recorded: the transport is closed by the server, or it lives on.
 */
const better: Record<string, { resets: boolean; answers?: string[] }> = {
  "unknown-kind-before-invoke": {
    resets: false,
    answers: ["Message 1.1 (2 bytes)", "CloseSend 1.2 (0 bytes)"],
  },
  "message-before-invoke": { resets: true },
  "second-message-to-unary": { resets: false, answers: ["Message 1.1 (0 bytes)", "CloseSend 1.2 (0 bytes)"] },
  "text-garbage": { resets: true },
};

describe("S7.11 a server given bad input", () => {
  it.each(violations)("$name: $about", async (session) => {
    const { stream, errors, saw } = await replayToServer(session);
    const expected = better[session.name] ?? { resets: session.serverCloses ?? false };
    expect(stream.wasReset).toBe(expected.resets);
    expect(errors).toHaveLength(expected.resets ? 1 : 0);
    if (expected.answers !== undefined) expect(stream.packets).toEqual(expected.answers);
    else if (!expected.resets) {
      // the text for a body that is no message is each library's own
      if (session.name === "body-not-protobuf") expect(stream.packets[0]).toMatch(/^Error 1\.1/);
      else expect(hex(Buffer.concat(stream.sent))).toBe(written(session, "s2c"));
    }
    const wasCancelled = session.server.some(({ text }) => text === "context canceled");
    expect(saw.includes("cancelled")).toBe(wasCancelled);
    if (!stream.wasReset) expect(stream.hasClosedWrite).toBe(true);
  });
});

/** A client whose one stream is the test's. */
function clientOn(stream: MemoryStream) {
  const transport = createDrpcTransport({ tryOpen: () => stream, open: async () => stream });
  return { agent: createClient(Agent, transport), tailnet: createClient(Tailnet, transport) };
}

describe("W4.5 a client in recorded conversations", () => {
  const unary = sessions.filter(
    ({ client }) => client?.[0]?.did.includes("UpdateLifecycle") && client.length === 2,
  );

  it.each(unary)("$name: $about", async (session) => {
    const stream = new MemoryStream();
    const request = fromBinary(UpdateLifecycleRequestSchema, recorded(session.client?.[0]?.data ?? ""));
    const headers = session.server.find(({ did }) => did === "metadata")?.json as
      | Record<string, string>
      | undefined;
    if (headers !== undefined) return; // header values are Latin-1; the recorded one is not
    const call = clientOn(stream).agent.updateLifecycle(request);
    const outcome = call.then(
      (reply) => ({ data: hex(toBinary(LifecycleSchema, reply)) }),
      (error: RpcError) => ({ text: error.rawMessage, code: error.drpcCode }),
    );
    await settle();
    // the request is what the Go client sends, in one piece
    const sent = session.steps.find(({ dir }) => dir === "c2s")?.bytes ?? "";
    if (session.name !== "one-byte-frames") expect(stream.sent.map(hex)).toEqual([hex(recorded(sent))]);
    expect(stream.hasClosedWrite).toBe(false);
    for (const step of session.steps) if (step.dir === "s2c" && step.bytes) stream.feed(recorded(step.bytes));
    const last = session.client?.[1];
    if (last?.did === "reply") expect(await outcome).toEqual({ data: hex(recorded(last.data ?? "")) });
    else expect(await outcome).toEqual({ text: last?.text, code: Number(last?.code ?? 0) });
    expect(stream.hasClosedWrite).toBe(true);
  });

  it.each(sessions.filter(({ name }) => name.startsWith("server-stream")))(
    "$name: $about",
    async (session) => {
      const stream = new MemoryStream();
      const received: string[] = [];
      const reading = (async () => {
        for await (const map of clientOn(stream).tailnet.streamDERPMaps({})) {
          received.push(`received ${hex(toBinary(DERPMapSchema, map))}`);
        }
        received.push("receive failed EOF");
      })().catch((error: RpcError) => received.push(`receive failed ${error.rawMessage}`));
      await settle();
      expect(hex(Buffer.concat(stream.sent))).toBe(written(session, "c2s"));
      for (const step of session.steps)
        if (step.dir === "s2c" && step.bytes) stream.feed(recorded(step.bytes));
      await reading;
      const expected = (session.client ?? [])
        .filter(({ did }) => did.startsWith("receive"))
        .map(({ did, data, text }) => `${did} ${data === undefined ? text : hex(recorded(data))}`);
      expect(received).toEqual(expected);
      expect(stream.hasClosedWrite).toBe(true);
    },
  );
});

describe("W4.5 packets to an open stream", () => {
  /** The recorded payload "hello" is not a message; this is one. */
  const payload = toBinary(
    CoordinateResponseSchema,
    fromBinary(CoordinateResponseSchema, Buffer.from("120568656c6c6f", "hex")),
  );

  it.each(streams)("$name: the application gets $recv", async ({ steps, recv }) => {
    const stream = new MemoryStream();
    let endRequests = () => {};
    const requests = {
      [Symbol.asyncIterator]: () => ({
        next: () =>
          new Promise<IteratorReturnResult<undefined>>((resolve) => {
            endRequests = () => resolve({ done: true, value: undefined });
          }),
      }),
    };
    const answers = clientOn(stream).tailnet.coordinate(requests)[Symbol.asyncIterator]();
    let outcome = "waits";
    const next = answers.next().then(
      ({ done, value }) => {
        outcome = done ? "error: EOF" : `data: ${value.error}`;
      },
      (error: RpcError) => {
        const code = error.drpcCode ? `code ${error.drpcCode}: ` : "";
        outcome = error.layer === "rpc" ? `error: ${code}${error.rawMessage}` : "error: broken";
      },
    );
    await settle();
    for (const { packet } of steps) {
      const body = packet.kind === PacketKind.Message ? payload : recorded(packet.data);
      const bytes = encodePacket(
        packet.kind,
        uint64(BigInt(packet.stream)),
        uint64(BigInt(packet.message)),
        body,
      );
      if (packet.control) bytes[0] = (bytes[0] ?? 0) | 0x80;
      // the recorded steps number every packet 1; on a wire ids grow
      stream.feed(
        withMessageId(
          bytes,
          steps.indexOf(steps.find((s) => s.packet === packet) ?? { packet, terminated: false }),
        ),
      );
    }
    await settle();
    const broke = steps.some(({ error }) => error !== undefined);
    if (recv === "error: context canceled") expect(outcome).toMatch(/^error: .*canceled by the server/);
    else expect(outcome).toBe(broke ? "error: broken" : recv);
    expect(stream.wasReset).toBe(broke);
    endRequests();
    if (outcome === "waits") stream.end();
    await next;
  });
});

/** The packet with its message id replaced: small ids are one byte, the third. */
function withMessageId(bytes: Uint8Array, index: number): Uint8Array {
  const copy = Buffer.from(bytes);
  copy[2] = index + 1;
  return copy;
}

describe("W4.7 an RPC that is not there", () => {
  it("is Unimplemented by its text and by code 12, with text and code kept", async () => {
    for (const [code, text] of [
      [0, 'protocol error: unknown rpc: "/coder.agent.v2.Agent/GetManifest"'],
      [12, "Unimplemented"],
    ] as const) {
      const stream = new MemoryStream();
      const call = clientOn(stream).agent.getManifest({});
      const payload = Buffer.concat([Buffer.alloc(7), Buffer.from([code]), Buffer.from(text)]);
      stream.feed(encodePacket(PacketKind.Error, 1, 1, payload));
      const error = await call.catch((e: unknown) => e);
      expect(error).toBeInstanceOf(RpcError);
      expect(error).toBeInstanceOf(ConnectError);
      expect(error).toMatchObject({
        code: Code.Unimplemented,
        drpcCode: code,
        rawMessage: text,
        layer: "rpc",
      });
    }
  });
});
