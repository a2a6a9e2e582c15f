import { Code, type ContextValues } from "@connectrpc/connect";
import {
  decodeMetadata,
  defaultMaxPacketBytes,
  encodeError,
  encodePacket,
  type PacketKind as Kind,
  PacketKind,
  PacketReader,
  type PacketSink,
  packetKindName,
  type Uint64,
  WireError,
} from "../../codec/index.js";
import type { DuplexStream, StreamReceiver, TransportError } from "../../transport/index.js";
import { errorText } from "../error-text.js";
import { RpcError, unknownRpcText } from "../errors.js";
import { goQuote } from "../go-quote.js";
import type { RpcTable } from "./router.js";
import type { ServerCall, ServerCallHost } from "./server-call.js";
import { StreamingServerCall } from "./streaming-server-call.js";
import { UnaryServerCall } from "./unary-server-call.js";

/** How conversations are served. */
export interface ServeOptions {
  /** Largest message in bytes, both ways; 4 MiB by default. */
  maxMessageBytes?: number;
  /** What the handlers of a session share, such as who the peer is: `context.values` begins with these. */
  contextValues?: ContextValues;
  /** Told of each conversation that a peer broke. The stream has been reset; others are not touched. */
  onProtocolError?: (error: RpcError) => void;
}

/**
 * Serves dRPC on a stream: one call after the other, each with a higher stream id (W1.3). Bad input ends the
 * stream, without an answer.
 */
export function serveStream(stream: DuplexStream, table: RpcTable, options: ServeOptions = {}): void {
  stream.setReceiver(new ServerConversation(stream, table, options));
}

class ServerConversation implements StreamReceiver, PacketSink, ServerCallHost {
  readonly stream: DuplexStream;
  readonly #table: RpcTable;
  readonly #options: ServeOptions;
  readonly #reader: PacketReader;
  /** The id of the latest call; packets of earlier ones cannot come. */
  #current: Uint64 = 0;
  #call: ServerCall | undefined;
  #metadata: { stream: Uint64; pairs: ReadonlyMap<string, string> } | undefined;
  /** True while the handler has requests enough: the stream keeps the rest. */
  #isPaused = false;
  #hasEnded = false;

  constructor(stream: DuplexStream, table: RpcTable, options: ServeOptions) {
    this.stream = stream;
    this.#table = table;
    this.#options = options;
    this.#reader = new PacketReader(this.maxMessageBytes);
  }

  onData(bytes: Uint8Array): number {
    if (this.#hasEnded) return bytes.length;
    if (this.#isPaused) return 0;
    try {
      return this.#reader.push(bytes, this);
    } catch (error) {
      this.#breakOff(errorText(error), error);
      return bytes.length;
    }
  }

  get isBehind(): boolean {
    return this.#call?.isBehind ?? false;
  }

  get heldBytes(): number {
    return this.#reader.heldBytes + (this.#isPaused ? (this.#call?.heldBytes ?? 0) : 0);
  }

  onPacket(kind: number, control: boolean, stream: Uint64, _message: Uint64, body: Uint8Array): boolean {
    if (this.#hasEnded) return true;
    if (stream > this.#current) return this.#onNewStream(kind as Kind, control, stream, body);
    // After its end nothing that comes for a call matters, not even what would be wrong.
    const call = this.#call;
    if (call === undefined || call.isOver) {
      if (kind === PacketKind.Invoke) this.#breakOff(`a second Invoke on dRPC stream ${stream}`);
      return true;
    }
    switch (kind as Kind) {
      case PacketKind.Message:
        this.#isPaused = !call.onMessage(body);
        return !this.#isPaused;
      case PacketKind.CloseSend:
        call.onCloseSend();
        return true;
      case PacketKind.Cancel:
      case PacketKind.Close:
      case PacketKind.Error:
        call.cancel(`the caller ended the call (${packetKindName(kind)})`);
        return true;
      default:
        if (kind === PacketKind.Invoke || !control)
          this.#breakOff(`a packet of ${packetKindName(kind)} in a call`);
        return true;
    }
  }

  /** FIN: the caller has its answer, or wants none. A server never ends its side before. W7.2b. */
  onEnd(): void {
    this.#end("the caller ended the stream");
    this.stream.finish();
    // an answer that still waits for window does not wait for ever
    if (this.stream.isAlive) this.stream.expectEnd();
  }

  /** The same while requests wait that the handler has not taken: it need not take them. */
  onEndAhead(): void {
    this.onEnd();
  }

  onReset(error: TransportError): void {
    this.#end(error.message);
  }

  onWritable(): void {
    this.#call?.onWritable();
  }

  #onNewStream(kind: Kind, control: boolean, stream: Uint64, body: Uint8Array): boolean {
    if (kind === PacketKind.Invoke) {
      this.#invoke(stream, body);
    } else if (kind === PacketKind.InvokeMetadata) {
      this.#metadata = { stream, pairs: decodeMetadata(body) };
    } else if (!control) {
      this.#breakOff(`a packet of ${packetKindName(kind)} where a call must begin`);
    }
    return true;
  }

  #invoke(stream: Uint64, nameBytes: Uint8Array): void {
    // A new call ends the one before: W4.5.
    this.#call?.cancel("the caller began another call on the stream");
    this.stream.expectMore();
    this.#current = stream;
    const metadata = this.#metadata?.stream === stream ? this.#metadata.pairs : undefined;
    this.#metadata = undefined;
    const served = this.#table.findBytes(nameBytes);
    if (served === undefined) {
      this.#call = undefined;
      const text = unknownRpcText(goQuote(nameBytes));
      this.stream.send([encodePacket(PacketKind.Error, stream, 1, encodeError(0, text))]);
      this.stream.expectEnd();
      return;
    }
    const isUnary = served.registered.method.methodKind === "unary";
    const Call = isUnary ? UnaryServerCall : StreamingServerCall;
    this.#call = new Call(this, stream, served, metadata);
    this.#call.begin();
  }

  // ---- for its call ----

  get maxMessageBytes(): number {
    return this.#options.maxMessageBytes ?? defaultMaxPacketBytes;
  }

  get sessionValues(): ContextValues | undefined {
    return this.#options.contextValues;
  }

  /** The caller has its answer, and is to end the stream or begin another call. W4.9. */
  onCallOver(): void {
    if (!this.#hasEnded) this.stream.expectEnd();
    // what waits is for nobody, or for the next call; not now, for the end may have come from reading
    if (this.#isPaused) queueMicrotask(() => this.onRoom());
  }

  onRoom(): void {
    this.#isPaused = false;
    this.stream.resume();
  }

  // ---- inside ----

  #end(reason: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#call?.cancel(reason);
  }

  /** The peer broke the protocol: this stream ends, and nothing else. */
  #breakOff(text: string, cause?: unknown): void {
    const message = cause instanceof WireError ? text : `dRPC: ${text}`;
    this.#end(message);
    this.stream.reset();
    this.#options.onProtocolError?.(
      new RpcError(message, Code.InvalidArgument, { layer: "drpc", streamId: this.stream.id, cause }),
    );
  }
}
