import { WireError } from "./errors.js";
import { FrameType, headerBytes } from "./yamux-header.js";

/** Takes the frames that a {@link YamuxFrameReader} finds. */
export interface FrameSink {
  /** Called for each header. After one of type Data with a length, that many bytes come through `onBody`. */
  onFrame(type: FrameType, flags: number, streamId: number, length: number): void;
  /**
   * A part of the body of the last Data frame, as a view of the input.
   * @param isLast true when the body is complete.
   */
  onBody(bytes: Uint8Array, isLast: boolean): void;
}

/** Finds yamux frames in bytes that may be cut anywhere. Bodies are handed on as they come, without a copy. */
export class YamuxFrameReader {
  /** A header that the input cut. */
  readonly #cut = new Uint8Array(headerBytes);
  #cutBytes = 0;
  #bodyLeft = 0;

  /** True when the bytes so far end with a whole frame. */
  get isBetweenFrames(): boolean {
    return this.#cutBytes === 0 && this.#bodyLeft === 0;
  }

  /**
   * @throws WireError when a header has a wrong version or type; the reader cannot be used any more. What the
   * sink throws comes through.
   */
  push(bytes: Uint8Array, sink: FrameSink): void {
    let offset = 0;
    while (offset < bytes.length) {
      if (this.#bodyLeft > 0) {
        const end = Math.min(bytes.length, offset + this.#bodyLeft);
        this.#bodyLeft -= end - offset;
        sink.onBody(
          offset === 0 && end === bytes.length ? bytes : bytes.subarray(offset, end),
          this.#bodyLeft === 0,
        );
        offset = end;
      } else if (this.#cutBytes === 0 && bytes.length - offset >= headerBytes) {
        this.#header(bytes, offset, sink);
        offset += headerBytes;
      } else {
        offset = this.#collectHeader(bytes, offset, sink);
      }
    }
  }

  #collectHeader(bytes: Uint8Array, start: number, sink: FrameSink): number {
    let offset = start;
    while (offset < bytes.length && this.#cutBytes < headerBytes) {
      this.#cut[this.#cutBytes++] = bytes[offset++] ?? 0;
    }
    if (this.#cutBytes === headerBytes) {
      this.#cutBytes = 0;
      this.#header(this.#cut, 0, sink);
    }
    return offset;
  }

  #header(bytes: Uint8Array, at: number, sink: FrameSink): void {
    const version = bytes[at];
    const type = bytes[at + 1] ?? 0;
    if (version !== 0) {
      throw new WireError(
        "yamux",
        "yamux-version",
        `yamux: a frame has version ${version}; this side speaks 0`,
      );
    }
    if (!isFrameType(type)) {
      throw new WireError("yamux", "yamux-type", `yamux: a frame has type ${type}; there are 0 to 3`);
    }
    const flags = ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
    const streamId = uint32(bytes, at + 4);
    const length = uint32(bytes, at + 8);
    if (type === FrameType.Data) this.#bodyLeft = length;
    sink.onFrame(type, flags, streamId, length);
  }
}

function isFrameType(type: number): type is FrameType {
  return type <= FrameType.GoAway;
}

function uint32(bytes: Uint8Array, at: number): number {
  const b0 = bytes[at] ?? 0;
  const b1 = bytes[at + 1] ?? 0;
  const b2 = bytes[at + 2] ?? 0;
  const b3 = bytes[at + 3] ?? 0;
  return ((b0 << 24) | (b1 << 16) | (b2 << 8) | b3) >>> 0;
}
