import { type DescMethod, fromBinary, type JsonValue, toJson } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { decodeError, decodeMetadata, decodeUtf8, type Uint64 } from "../codec/index.js";
import { errorText } from "../rpc/error-text.js";
import { remoteError } from "../rpc/errors.js";
import { codeName } from "./code-name.js";
import { type EventSink, millisecondsBetween } from "./event-sink.js";
import type { Direction, Traffic } from "./events.js";
import type { MethodLookup } from "./known-methods.js";

/** Names are in every event: longer ones, which no service has, are cut. */
const maxNameBytes = 512;

/** How an RPC ended, where that was not well. */
interface Failure {
  code: string;
  error?: string;
  drpcCode?: number | string;
}

/** One RPC as it goes by: begin, messages, end. */
export class RpcWatch {
  readonly rpc: string;
  /** dRPC's own stream id. */
  readonly id: Uint64;
  readonly #sink: EventSink;
  readonly #stream: number;
  readonly #method: DescMethod | undefined;
  readonly #beganAt: number;
  readonly #traffic: Record<Direction, Traffic> = {
    "to-server": { messages: 0, bytes: 0 },
    "to-client": { messages: 0, bytes: 0 },
  };
  #hasEnded = false;

  /** @param metadata the body of an InvokeMetadata packet that came before. */
  constructor(
    sink: EventSink,
    invoke: { stream: number; id: Uint64; name: Uint8Array; metadata: Uint8Array | undefined },
    methods: MethodLookup,
  ) {
    const { stream, id, name, metadata } = invoke;
    this.#sink = sink;
    this.#stream = stream;
    this.id = id;
    this.rpc = sink.redaction.text(decodeUtf8(name.subarray(0, maxNameBytes)));
    this.#method = methods(this.rpc);
    this.#beganAt = sink.now();
    const pairs = metadata && this.#metadata(metadata);
    sink.tellAt(this.#beganAt, {
      type: "rpc-begin",
      stream,
      rpc: this.rpc,
      ...(pairs && { metadata: pairs }),
    });
  }

  /** A message went by. */
  message(direction: Direction, body: Uint8Array): void {
    if (this.#hasEnded) return;
    const traffic = this.#traffic[direction];
    traffic.messages++;
    traffic.bytes += body.length;
    const type = direction === "to-server" ? this.#method?.input : this.#method?.output;
    let json: JsonValue | undefined;
    let problem: string | undefined;
    if (type !== undefined && this.#sink.decodesMessages) {
      try {
        json = this.#sink.redaction.json(type, toJson(type, fromBinary(type, body)));
      } catch (error) {
        problem = `not a ${type.typeName}: ${errorText(error)}`;
      }
    }
    const about = { direction, stream: this.#stream, rpc: this.rpc };
    this.#sink.tell({
      type: "rpc-message",
      ...about,
      bytes: body.length,
      ...(json !== undefined && { json }),
    });
    if (problem !== undefined) this.#sink.tell({ type: "broken", ...about, layer: "message", text: problem });
    if (direction === "to-client" && this.#method?.methodKind === "unary") this.#end();
  }

  /** An Error packet went by. */
  failed(direction: Direction, body: Uint8Array): void {
    const payload = decodeError(body);
    const error = this.#sink.redaction.text(payload.text);
    if (direction === "to-server") {
      this.#end({ code: codeName(Code.Canceled), error });
      return;
    }
    const { code } = remoteError(payload, this.rpc, this.#stream);
    const isNamed = code === payload.code || payload.code === 0;
    this.#end({
      code: codeName(code),
      error,
      ...(!isNamed && { drpcCode: jsonNumber(payload.code) }),
    });
  }

  /** A Cancel packet went by. */
  canceled(direction: Direction): void {
    const who = direction === "to-server" ? "caller" : "server";
    this.#end({ code: codeName(Code.Canceled), error: `canceled by the ${who}` });
  }

  /** A Close packet went by, or a CloseSend of the server. */
  closed(direction: Direction): void {
    // a caller that closes has its answer, or does not want it any more
    const isLeft = direction === "to-server" && !this.#mayBeAnswered;
    this.#end(
      isLeft ? { code: codeName(Code.Canceled), error: "closed by the caller before its end" } : undefined,
    );
  }

  /** What carried it has ended. @param isByCaller whether its caller wanted that. */
  cut(error: string, isByCaller = false): void {
    this.#end({ code: codeName(isByCaller ? Code.Canceled : Code.Unavailable), error });
  }

  /** Whether nothing speaks against it that the caller has its whole answer. */
  get #mayBeAnswered(): boolean {
    const isStream = this.#method !== undefined && this.#method.methodKind !== "unary";
    return !isStream && this.#traffic["to-client"].messages > 0;
  }

  #end(failure?: Failure): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const time = this.#sink.now();
    this.#sink.tellAt(time, {
      type: "rpc-end",
      stream: this.#stream,
      rpc: this.rpc,
      durationMs: millisecondsBetween(this.#beganAt, time),
      ...(failure ?? { code: "ok" }),
      toServer: { ...this.#traffic["to-server"] },
      toClient: { ...this.#traffic["to-client"] },
    });
  }

  #metadata(body: Uint8Array): Record<string, string> | undefined {
    try {
      const { redaction } = this.#sink;
      const pairs = decodeMetadata(body);
      return Object.fromEntries([...pairs].map(([name, value]) => [name, redaction.named(name, value)]));
    } catch (error) {
      this.#sink.tell({
        type: "broken",
        direction: "to-server",
        stream: this.#stream,
        rpc: this.rpc,
        layer: "drpc",
        text: errorText(error),
      });
      return undefined;
    }
  }
}

/** A number for JSON: as text where it would not be exact. */
export function jsonNumber(value: Uint64): number | string {
  return typeof value === "bigint" ? String(value) : value;
}
