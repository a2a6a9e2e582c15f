import {
  defaultSplitBytes,
  emptyBytes,
  PacketKind,
  packetLength,
  packetParts,
  type Uint64,
  writePacket,
} from "../codec/index.js";
import type { DuplexStream } from "../transport/index.js";

/**
 * One side of a call: its stream, its dRPC stream id, and the packets that it sends, numbered from 1. Packets that are
 * given together leave in one frame of the stream where they fit, written in place. Bodies are copied at once: they
 * may change afterwards.
 */
export abstract class CallSide<Stream extends DuplexStream = DuplexStream> {
  protected readonly stream: Stream;
  protected readonly rpcStream: Uint64;
  #message = 1;

  constructor(stream: Stream, rpcStream: Uint64) {
    this.stream = stream;
    this.rpcStream = rpcStream;
  }

  /**
   * Begins the call: metadata where there is any, the name, and with a body the one message and the end of them.
   * @returns false when the stream holds some of it back.
   */
  protected sendCall(
    metadata: Uint8Array | undefined,
    name: Uint8Array,
    body: Uint8Array | undefined,
  ): boolean {
    const id = this.rpcStream;
    const first = metadata === undefined ? 1 : 2;
    let length = packetLength(id, first, name.length);
    if (metadata !== undefined) length += packetLength(id, 1, metadata.length);
    if (body !== undefined)
      length += packetLength(id, first + 1, body.length) + packetLength(id, first + 2, 0);

    let at = length > defaultSplitBytes ? -1 : this.stream.begin(length);
    if (at < 0) return this.#sendCallInParts(metadata, name, body);
    const out = this.stream.memory;
    if (metadata !== undefined) at = this.#write(out, at, PacketKind.InvokeMetadata, metadata);
    at = this.#write(out, at, PacketKind.Invoke, name);
    if (body !== undefined) {
      at = this.#write(out, at, PacketKind.Message, body);
      this.#write(out, at, PacketKind.CloseSend, emptyBytes);
    }
    return true;
  }

  /**
   * Sends a packet.
   * @param andCloseSend sends a CloseSend with it: this was the last message.
   * @returns false when the stream holds some of it back.
   */
  protected sendPacket(kind: number, body: Uint8Array, andCloseSend = false): boolean {
    const id = this.rpcStream;
    let length = packetLength(id, this.#message, body.length);
    if (andCloseSend) length += packetLength(id, this.#message + 1, 0);

    let at = length > defaultSplitBytes ? -1 : this.stream.begin(length);
    if (at < 0) return this.#sendInParts(kind, body, andCloseSend);
    const out = this.stream.memory;
    at = this.#write(out, at, kind, body);
    if (andCloseSend) this.#write(out, at, PacketKind.CloseSend, emptyBytes);
    return true;
  }

  #write(out: Uint8Array, at: number, kind: number, body: Uint8Array): number {
    return writePacket(out, at, kind, this.rpcStream, this.#message++, body);
  }

  #sendCallInParts(
    metadata: Uint8Array | undefined,
    name: Uint8Array,
    body: Uint8Array | undefined,
  ): boolean {
    const parts: Uint8Array[] = [];
    if (metadata !== undefined) this.#addParts(parts, PacketKind.InvokeMetadata, metadata);
    this.#addParts(parts, PacketKind.Invoke, name);
    if (body !== undefined) {
      this.#addParts(parts, PacketKind.Message, body);
      this.#addParts(parts, PacketKind.CloseSend, emptyBytes);
    }
    return this.stream.send(parts, true);
  }

  #sendInParts(kind: number, body: Uint8Array, andCloseSend: boolean): boolean {
    const parts: Uint8Array[] = [];
    this.#addParts(parts, kind, body);
    if (andCloseSend) this.#addParts(parts, PacketKind.CloseSend, emptyBytes);
    return this.stream.send(parts, true);
  }

  #addParts(parts: Uint8Array[], kind: number, body: Uint8Array): void {
    packetParts(parts, kind, this.rpcStream, this.#message++, body);
  }
}
