import { decodeUtf8 } from "../codec/index.js";
import type { WebSocketOpcode } from "./events.js";

/** Takes what a {@link WebSocketReader} finds. */
export interface WebSocketSink {
  /** The head of a frame. Of a close frame it comes with its payload, of all others before it. */
  onFrame(frame: WebSocketFrame): void;
  /** A part of the payload of a binary message, unmasked. */
  onBinary(bytes: Uint8Array): void;
}

/** A WebSocket frame without its payload. */
export interface WebSocketFrame {
  opcode: WebSocketOpcode;
  /** Of its payload. */
  bytes: number;
  /** True where more frames of the same message follow. */
  isPart: boolean;
  /** Of a close frame that has one. */
  code?: number;
  /** Of a close frame that has one. */
  reason?: string;
}

const opcodes: Partial<Record<number, WebSocketOpcode>> = {
  0: "continuation",
  1: "text",
  2: "binary",
  8: "close",
  9: "ping",
  10: "pong",
};

const maxControlBytes = 125;
const longestHead = 14;

/**
 * Finds WebSocket frames (RFC 6455) in one direction of a connection, whose bytes may be cut anywhere. It only looks
 * on: it answers nothing, and keeps nothing but heads and the payload of close frames.
 */
export class WebSocketReader {
  readonly #head = new Uint8Array(longestHead);
  #headBytes = 0;
  /** The frame whose payload is being read. */
  #frame: WebSocketFrame | undefined;
  readonly #mask = new Uint8Array(4);
  #isMasked = false;
  #payloadBytes = 0;
  #closePayload = new Uint8Array(0);
  /** Whether the message under way is binary. */
  #isBinary = false;

  /**
   * @throws Error when the bytes are no WebSocket frames, or compressed; the reader cannot be used any more.
   */
  push(bytes: Uint8Array, sink: WebSocketSink): void {
    let offset = 0;
    while (offset < bytes.length) {
      if (this.#frame === undefined) {
        this.#head[this.#headBytes++] = bytes[offset++] ?? 0;
        if (this.#headBytes === headLength(this.#head, this.#headBytes)) this.#begin(sink);
        continue;
      }
      const end = Math.min(bytes.length, offset + this.#frame.bytes - this.#payloadBytes);
      this.#payload(bytes.subarray(offset, end), sink);
      offset = end;
    }
  }

  #begin(sink: WebSocketSink): void {
    const [first = 0, second = 0] = this.#head;
    const view = new DataView(this.#head.buffer);
    const opcode = opcodes[first & 0x0f];
    if (opcode === undefined) throw new Error(`WebSocket: a frame has the opcode ${first & 0x0f}`);
    if ((first & 0x70) !== 0) throw new Error("WebSocket: a frame is compressed, or of an unknown extension");
    const short = second & 0x7f;
    const bytes = short === 126 ? view.getUint16(2) : short === 127 ? Number(view.getBigUint64(2)) : short;
    const isControl = (first & 0x08) !== 0;
    if (isControl && bytes > maxControlBytes) throw new Error(`WebSocket: a ${opcode} has ${bytes} bytes`);
    if (!Number.isSafeInteger(bytes)) throw new Error(`WebSocket: a frame has ${bytes} bytes`);
    this.#isMasked = (second & 0x80) !== 0;
    if (this.#isMasked) this.#mask.set(this.#head.subarray(this.#headBytes - 4, this.#headBytes));
    if (opcode === "binary" || opcode === "text") this.#isBinary = opcode === "binary";
    this.#headBytes = 0;
    this.#payloadBytes = 0;
    this.#frame = { opcode, bytes, isPart: (first & 0x80) === 0 };
    if (opcode !== "close") sink.onFrame(this.#frame);
    else this.#closePayload = new Uint8Array(bytes);
    if (bytes === 0) this.#finish(this.#frame, sink);
  }

  #payload(bytes: Uint8Array, sink: WebSocketSink): void {
    const frame = this.#frame;
    if (frame === undefined) return;
    const { opcode } = frame;
    if (opcode === "close") this.#closePayload.set(this.#unmasked(bytes), this.#payloadBytes);
    else if (this.#isBinary && (opcode === "binary" || opcode === "continuation"))
      sink.onBinary(this.#unmasked(bytes));
    this.#payloadBytes += bytes.length;
    if (this.#payloadBytes === frame.bytes) this.#finish(frame, sink);
  }

  #finish(frame: WebSocketFrame, sink: WebSocketSink): void {
    this.#frame = undefined;
    if (frame.opcode !== "close") return;
    const payload = this.#closePayload;
    if (payload.length < 2) sink.onFrame(frame);
    else {
      const code = new DataView(payload.buffer).getUint16(0);
      sink.onFrame({ ...frame, code, reason: decodeUtf8(payload.subarray(2)) });
    }
  }

  #unmasked(bytes: Uint8Array): Uint8Array {
    if (!this.#isMasked) return bytes;
    const clear = new Uint8Array(bytes.length);
    for (let i = 0; i < bytes.length; i++) {
      clear[i] = (bytes[i] ?? 0) ^ (this.#mask[(this.#payloadBytes + i) & 3] ?? 0);
    }
    return clear;
  }
}

/** How long a head is, as far as its first bytes say. */
function headLength(head: Uint8Array, known: number): number {
  if (known < 2) return 2;
  const second = head[1] ?? 0;
  const short = second & 0x7f;
  return 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + ((second & 0x80) !== 0 ? 4 : 0);
}
