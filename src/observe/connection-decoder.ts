import type { DescService } from "@bufbuild/protobuf";
import { Flag, FrameType, initialWindowBytes, YamuxFrameReader } from "../codec/index.js";
import { errorText } from "../rpc/error-text.js";
import { EventSink, type Happening, millisecondsBetween } from "./event-sink.js";
import type {
  Direction,
  EndEvent,
  FrameFlagName,
  FrameTypeName,
  WebSocketEvent,
  WireListener,
} from "./events.js";
import { knownMethods, type MethodLookup } from "./known-methods.js";
import { hideSecrets, showSecrets } from "./redact.js";
import { StreamDecoder } from "./stream-decoder.js";

const defaultMaxPacketBytes = 16 * 1024 * 1024;
const defaultMaxHeldBytes = 64 * 1024 * 1024;
/** More than either side lets the other open by default. */
const maxStreams = 10_000;

/** How a connection is decoded. */
export interface DecoderOptions {
  /** The number that its events have; 1 by default. */
  connection?: number;
  /**
   * What its binary messages carry: streams with a dRPC conversation each (`"yamux"`, the default), one such
   * conversation (`"drpc"`, as on an agent's socket), or something that is not looked into (`"unknown"`).
   */
  carries?: "yamux" | "drpc" | "unknown";
  /** Services whose messages are shown as JSON, besides those of agents, agent sockets and the tailnet. */
  services?: readonly DescService[];
  /**
   * Whether messages are decoded, for `json`; true by default. Without it much less is done for each message, and those
   * that are wrong are not found.
   */
  decodeMessages?: boolean;
  /** Whether tokens and other secrets are shown; false by default. */
  showSecrets?: boolean;
  /** Secrets to hide wherever they are found, such as the token that was dialled with. Below 8 characters they stay. */
  secrets?: readonly string[];
  /** Largest packet to decode, in bytes; 16 MiB by default. */
  maxPacketBytes?: number;
  /** Bytes to keep of packets that are not complete, for all streams together; 64 MiB by default. */
  maxHeldBytes?: number;
  /** The time in milliseconds since 1970; the clock of the runtime by default. */
  now?: () => number;
}

/** What is known of an open yamux stream. */
interface Stream {
  id: number;
  drpc: StreamDecoder;
  /** What may still be sent each way. */
  window: Record<Direction, number>;
  /** Who was the first to say that it sends no more. */
  finishedBy: Direction | undefined;
}

/** One direction of the connection. */
interface Half {
  reader: YamuxFrameReader;
  /** The stream whose data frame has bytes to come. */
  current: Stream | undefined;
  /** Whether that frame is the last of its stream. */
  isLast: boolean;
  isBroken: boolean;
}

/**
 * Tells what goes over one connection, from its bytes, which may be cut anywhere. It never throws: bytes that are wrong
 * are told as `broken`, and what they belong to is not decoded any further. It keeps no more than `maxHeldBytes` of
 * packets that are not complete, and a few hundred bytes for each open stream.
 */
export class ConnectionDecoder {
  readonly #sink: EventSink;
  readonly #methods: MethodLookup;
  readonly #maxPacketBytes: number;
  readonly #halves: Record<Direction, Half>;
  readonly #streams = new Map<number, Stream>();
  /** The conversation of a connection without yamux. */
  readonly #only: StreamDecoder | undefined;
  readonly #carries: "yamux" | "drpc" | "unknown";
  #openedAt: number;
  #isFull = false;
  #hasEnded = false;

  /** @param listener called for each event, in order, before the method returns that it comes from. */
  constructor(listener: WireListener, options: DecoderOptions = {}) {
    this.#sink = new EventSink(listener, {
      connection: options.connection ?? 1,
      maxHeldBytes: options.maxHeldBytes ?? defaultMaxHeldBytes,
      redaction: options.showSecrets === true ? showSecrets : hideSecrets(options.secrets),
      ...(options.now && { now: options.now }),
    });
    this.#methods = knownMethods(options.services);
    this.#sink.decodesMessages = options.decodeMessages ?? true;
    this.#maxPacketBytes = options.maxPacketBytes ?? defaultMaxPacketBytes;
    this.#carries = options.carries ?? "yamux";
    if (this.#carries === "drpc") this.#only = this.#streamDecoder(0);
    const half = (): Half => ({
      reader: new YamuxFrameReader(),
      current: undefined,
      isLast: false,
      isBroken: this.#carries === "unknown",
    });
    this.#halves = { "to-server": half(), "to-client": half() };
    this.#openedAt = this.#sink.now();
  }

  /** The connection has begun. Without it, its time counts from the decoder's making. */
  open(target: string, headers?: Readonly<Record<string, string>>): void {
    this.#openedAt = this.#sink.now();
    const { redaction } = this.#sink;
    const shown =
      headers && Object.entries(headers).map(([name, value]) => [name, redaction.named(name, value)]);
    this.#sink.tellAt(this.#openedAt, {
      type: "open",
      target: redaction.text(target),
      ...(shown && { headers: Object.fromEntries(shown) }),
    });
  }

  /** A whole binary WebSocket message, or what goes over at once where there are no messages. */
  message(direction: Direction, bytes: Uint8Array): void {
    this.webSocketFrame({ direction, opcode: "binary", bytes: bytes.length });
    this.bytes(direction, bytes);
  }

  /** The head of a WebSocket frame; the payload of binary ones comes through {@link bytes}. */
  webSocketFrame(frame: Omit<Happening<WebSocketEvent>, "type">): void {
    const { reason, ...facts } = frame;
    this.#sink.tell({
      type: "websocket",
      ...facts,
      ...(reason !== undefined && { reason: this.#sink.redaction.text(reason) }),
    });
  }

  /** Bytes of binary messages. They must not change afterwards. */
  bytes(direction: Direction, bytes: Uint8Array): void {
    if (this.#only !== undefined) {
      this.#only.push(direction, bytes);
      return;
    }
    const half = this.#halves[direction];
    if (half.isBroken) return;
    try {
      half.reader.push(bytes, {
        onFrame: (type, flags, streamId, length) =>
          this.#onFrame(direction, { type, flags, streamId, length }),
        onBody: (body, isLast) => this.#onBody(direction, body, isLast),
      });
    } catch (error) {
      this.broken(direction, "yamux", errorText(error));
    }
  }

  /** Tells that a direction cannot be read any further, and reads no further. */
  broken(direction: Direction, layer: "websocket" | "yamux", text: string): void {
    this.#halves[direction].isBroken = true;
    this.#sink.tell({ type: "broken", direction, layer, text });
  }

  /** The connection has ended; calls under way are told as ended, too. The last call. */
  end(how: Omit<Happening<EndEvent>, "type" | "durationMs"> = {}): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#only?.end("the connection ended before the call did");
    for (const { drpc } of this.#streams.values()) drpc.end("the connection ended before the call did");
    this.#streams.clear();
    const time = this.#sink.now();
    const { reason, ...facts } = how;
    this.#sink.tellAt(time, {
      type: "end",
      durationMs: millisecondsBetween(this.#openedAt, time),
      ...facts,
      ...(reason !== undefined && { reason: this.#sink.redaction.text(reason) }),
    });
  }

  #onFrame(
    direction: Direction,
    frame: { type: FrameType; flags: number; streamId: number; length: number },
  ): void {
    const { type, flags, streamId, length } = frame;
    const isOfStream = type === FrameType.Data || type === FrameType.WindowUpdate;
    const stream = isOfStream ? this.#streamOf(direction, streamId, (flags & Flag.Syn) !== 0) : undefined;
    const window = stream && this.#count(stream, direction, type, length);
    const rpc = stream?.drpc.rpc;
    this.#sink.tell({
      type: "frame",
      direction,
      frame: frameNames[type],
      flags: flagNames(flags),
      stream: streamId,
      length,
      ...(window !== undefined && { window }),
      ...(rpc !== undefined && { rpc }),
    });
    const half = this.#halves[direction];
    half.current = undefined;
    if (stream === undefined) return;
    if ((flags & Flag.Rst) !== 0) {
      this.#remove(stream, direction, "reset the stream");
      return;
    }
    const isLast = (flags & Flag.Fin) !== 0;
    if (type === FrameType.Data && length > 0) {
      half.current = stream;
      half.isLast = isLast;
    } else if (isLast) {
      this.#finish(stream, direction);
    }
  }

  #onBody(direction: Direction, bytes: Uint8Array, isLast: boolean): void {
    const half = this.#halves[direction];
    const stream = half.current;
    if (stream === undefined) return;
    stream.drpc.push(direction, bytes);
    if (!isLast) return;
    half.current = undefined;
    if (half.isLast) this.#finish(stream, direction);
  }

  /** @returns undefined for frames of streams that are over, and of those that are too many. */
  #streamOf(direction: Direction, id: number, isNew: boolean): Stream | undefined {
    const known = this.#streams.get(id);
    if (known !== undefined || !isNew || id === 0) return known;
    if (this.#streams.size >= maxStreams) {
      if (this.#isFull) return undefined;
      this.#isFull = true;
      const text = `more than ${maxStreams} streams are open: those beyond are not decoded`;
      this.#sink.tell({ type: "broken", direction, layer: "yamux", stream: id, text });
      return undefined;
    }
    const stream: Stream = {
      id,
      drpc: this.#streamDecoder(id),
      window: { "to-server": initialWindowBytes, "to-client": initialWindowBytes },
      finishedBy: undefined,
    };
    this.#streams.set(id, stream);
    return stream;
  }

  /** @returns what may still be sent in the direction that the frame is about. */
  #count({ window }: Stream, direction: Direction, type: FrameType, length: number): number {
    if (type === FrameType.Data) {
      window[direction] -= length;
      return window[direction];
    }
    const other = direction === "to-server" ? "to-client" : "to-server";
    window[other] += length;
    return window[other];
  }

  #finish(stream: Stream, direction: Direction): void {
    stream.finishedBy ??= direction;
    if (stream.finishedBy !== direction) this.#remove(stream, stream.finishedBy, "closed the stream");
  }

  #remove(stream: Stream, by: Direction, what: string): void {
    this.#streams.delete(stream.id);
    // bytes of the other direction may still be under way
    for (const half of Object.values(this.#halves)) if (half.current === stream) half.current = undefined;
    const isByCaller = by === "to-server";
    stream.drpc.end(`the ${isByCaller ? "caller" : "server"} ${what} before the call ended`, isByCaller);
  }

  #streamDecoder(id: number): StreamDecoder {
    return new StreamDecoder(this.#sink, id, this.#methods, this.#maxPacketBytes);
  }
}

const frameNames: Record<FrameType, FrameTypeName> = {
  [FrameType.Data]: "data",
  [FrameType.WindowUpdate]: "window-update",
  [FrameType.Ping]: "ping",
  [FrameType.GoAway]: "go-away",
};

const namedFlags = [
  [Flag.Syn, "SYN"],
  [Flag.Ack, "ACK"],
  [Flag.Fin, "FIN"],
  [Flag.Rst, "RST"],
] as const;

function flagNames(flags: number): FrameFlagName[] {
  const names: FrameFlagName[] = [];
  for (const [bit, name] of namedFlags) if ((flags & bit) !== 0) names.push(name);
  for (let bit = 0x10; bit <= flags; bit <<= 1) if ((flags & bit) !== 0) names.push(`0x${bit.toString(16)}`);
  return names;
}
