import { PacketKind, PacketReader, packetKindName, type Uint64 } from "../codec/index.js";
import { errorText } from "../rpc/error-text.js";
import type { EventSink } from "./event-sink.js";
import type { Direction } from "./events.js";
import type { MethodLookup } from "./known-methods.js";
import { jsonNumber, RpcWatch } from "./rpc-watch.js";

/** One direction of a stream. */
interface Half {
  reader: PacketReader;
  /** Bytes since the last complete packet: no less than what the reader keeps. */
  heldBytes: number;
  isBroken: boolean;
}

/** dRPC on one stream: packets, and the RPCs that they make. Bytes may be cut anywhere. */
export class StreamDecoder {
  readonly #sink: EventSink;
  readonly #stream: number;
  readonly #methods: MethodLookup;
  readonly #halves: Record<Direction, Half>;
  /** The last RPC that was invoked. */
  #rpc: RpcWatch | undefined;
  /** Metadata whose Invoke has not come. */
  #metadata: { id: Uint64; body: Uint8Array } | undefined;

  /** @param stream the yamux stream; 0 where there is no yamux. */
  constructor(sink: EventSink, stream: number, methods: MethodLookup, maxPacketBytes: number) {
    this.#sink = sink;
    this.#stream = stream;
    this.#methods = methods;
    const half = (): Half => ({ reader: new PacketReader(maxPacketBytes), heldBytes: 0, isBroken: false });
    this.#halves = { "to-server": half(), "to-client": half() };
  }

  /** The last RPC that was invoked on the stream: `/package.Service/Method`. */
  get rpc(): string | undefined {
    return this.#rpc?.rpc;
  }

  push(direction: Direction, bytes: Uint8Array): void {
    const half = this.#halves[direction];
    if (half.isBroken) return;
    let isComplete = false;
    try {
      half.reader.push(bytes, {
        onPacket: (kind, control, id, message, body) => {
          isComplete = true;
          this.#onPacket(direction, { kind, control, id, message, body });
          return true;
        },
      });
    } catch (error) {
      this.#break(direction, errorText(error));
      return;
    }
    const held = half.reader.isBetweenPackets ? 0 : (isComplete ? 0 : half.heldBytes) + bytes.length;
    this.#hold(half, held);
    if (this.#sink.heldBytes > this.#sink.maxHeldBytes) {
      this.#break(direction, `more than ${this.#sink.maxHeldBytes} bytes of packets that are not complete`);
    }
  }

  /**
   * The stream is over.
   * @param why what ended an RPC that had not ended.
   * @param isByCaller whether its caller wanted that.
   */
  end(why: string, isByCaller = false): void {
    for (const half of Object.values(this.#halves)) {
      half.isBroken = true;
      this.#hold(half, 0);
    }
    this.#keepMetadata(undefined);
    this.#rpc?.cut(why, isByCaller);
  }

  #onPacket(
    direction: Direction,
    packet: { kind: number; control: boolean; id: Uint64; message: Uint64; body: Uint8Array },
  ): void {
    const { kind, control, id, message, body } = packet;
    const isInvoke = kind === PacketKind.Invoke && direction === "to-server";
    const rpc = this.#rpc?.id === id && !isInvoke ? this.#rpc : undefined;
    this.#sink.tell({
      type: "packet",
      direction,
      stream: this.#stream,
      kind: packetKindName(kind),
      rpcStream: jsonNumber(id),
      message: jsonNumber(message),
      bytes: body.length,
      ...(control && { isControl: true }),
      ...(rpc && { rpc: rpc.rpc }),
    });
    if (isInvoke) this.#invoke(id, body);
    else if (kind === PacketKind.InvokeMetadata && direction === "to-server")
      this.#keepMetadata({ id, body: new Uint8Array(body) });
    else if (kind === PacketKind.Message) rpc?.message(direction, body);
    else if (kind === PacketKind.Error) rpc?.failed(direction, body);
    else if (kind === PacketKind.Cancel) rpc?.canceled(direction);
    else if (kind === PacketKind.Close) rpc?.closed(direction);
    else if (kind === PacketKind.CloseSend && direction === "to-client") rpc?.closed(direction);
  }

  #invoke(id: Uint64, name: Uint8Array): void {
    this.#rpc?.cut("another call was made before its end");
    const metadata = this.#metadata?.id === id ? this.#metadata.body : undefined;
    this.#keepMetadata(undefined);
    this.#rpc = new RpcWatch(this.#sink, { stream: this.#stream, id, name, metadata }, this.#methods);
  }

  /** Keeps metadata until the Invoke, which comes right after it. */
  #keepMetadata(metadata: { id: Uint64; body: Uint8Array } | undefined): void {
    this.#sink.heldBytes += (metadata?.body.length ?? 0) - (this.#metadata?.body.length ?? 0);
    this.#metadata = metadata;
  }

  #hold(half: Half, bytes: number): void {
    this.#sink.heldBytes += bytes - half.heldBytes;
    half.heldBytes = bytes;
  }

  #break(direction: Direction, text: string): void {
    const half = this.#halves[direction];
    half.isBroken = true;
    // what it has kept goes with it
    half.reader = new PacketReader(0);
    this.#hold(half, 0);
    this.#keepMetadata(undefined);
    const { rpc } = this;
    this.#sink.tell({
      type: "broken",
      direction,
      layer: "drpc",
      stream: this.#stream,
      ...(rpc !== undefined && { rpc }),
      text,
    });
  }
}
