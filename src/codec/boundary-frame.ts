import { BytePieces, emptyBytes } from "./byte-pieces.js";
import { WireError } from "./errors.js";

/*
 * The frames of the boundary audit socket, W5:
 *
 *   tag (8 bits)  length (24 bits, big endian)  payload
 */

/** What a boundary frame's payload is. */
export const BoundaryTag = {
  /** A bare `coder.agent.v2.ReportBoundaryLogsRequest`. */
  Logs: 1,
  /** A `coder.boundarylogproxy.codec.v1.BoundaryMessage`. */
  Message: 2,
} as const;
export type BoundaryTag = (typeof BoundaryTag)[keyof typeof BoundaryTag];

/** Larger payloads are refused by both sides. */
export const maxBoundaryPayloadBytes = 32 * 1024;

const boundaryHeaderBytes = 4;

function isBoundaryTag(tag: number): tag is BoundaryTag {
  return tag === BoundaryTag.Logs || tag === BoundaryTag.Message;
}

/**
 * A frame as bytes.
 * @throws WireError when the payload is too large.
 */
export function encodeBoundaryFrame(tag: BoundaryTag, payload: Uint8Array): Uint8Array {
  if (payload.length > maxBoundaryPayloadBytes) {
    throw new WireError(
      "boundary",
      "boundary-size",
      `message too large for tag ${tag}: ${payload.length} > ${maxBoundaryPayloadBytes}`,
    );
  }
  const frame = new Uint8Array(boundaryHeaderBytes + payload.length);
  new DataView(frame.buffer).setUint32(0, tag * 0x1000000 + payload.length);
  frame.set(payload, boundaryHeaderBytes);
  return frame;
}

/** Finds boundary frames in bytes that may be cut anywhere. */
export class BoundaryFrameReader {
  #headerBytes = 0;
  #header = 0;
  #payloadLeft = 0;
  readonly #payload = new BytePieces();

  /** True when the bytes so far end with a whole frame. */
  get isBetweenFrames(): boolean {
    return this.#headerBytes === 0;
  }

  /** True when the bytes so far end within a payload: its header is whole. */
  get isWithinPayload(): boolean {
    return this.#headerBytes === boundaryHeaderBytes;
  }

  /**
   * @param onFrame called for each whole frame, in order.
   * @throws WireError for a tag that is not known (looked at first) or a payload that is too large; the reader
   * cannot be used any more.
   */
  push(bytes: Uint8Array, onFrame: (tag: BoundaryTag, payload: Uint8Array) => void): void {
    let offset = 0;
    while (offset < bytes.length || this.#isComplete) {
      if (this.#headerBytes < boundaryHeaderBytes) {
        this.#header = (this.#header * 256 + (bytes[offset++] ?? 0)) >>> 0;
        if (++this.#headerBytes === boundaryHeaderBytes) this.#beginPayload();
        continue;
      }
      const end = Math.min(bytes.length, offset + this.#payloadLeft);
      if (end > offset) this.#payload.push(bytes.subarray(offset, end));
      this.#payloadLeft -= end - offset;
      offset = end;
      if (this.#payloadLeft > 0) return;
      const tag = this.#header >>> 24;
      const payload = this.#payload.length > 0 ? this.#payload.take() : emptyBytes;
      this.#headerBytes = 0;
      this.#header = 0;
      if (isBoundaryTag(tag)) onFrame(tag, payload);
    }
  }

  get #isComplete(): boolean {
    return this.#headerBytes === boundaryHeaderBytes && this.#payloadLeft === 0;
  }

  #beginPayload(): void {
    const tag = this.#header >>> 24;
    if (!isBoundaryTag(tag)) {
      throw new WireError("boundary", "boundary-tag", `unsupported tag: ${tag}`);
    }
    this.#payloadLeft = this.#header & 0xffffff;
    if (this.#payloadLeft > maxBoundaryPayloadBytes) {
      throw new WireError("boundary", "boundary-size", "message too large");
    }
  }
}
