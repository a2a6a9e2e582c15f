/** Bytes of every yamux header. W3.1. */
export const headerBytes = 12;

/** What a frame is. */
export const FrameType = {
  /** `length` bytes of a stream follow. */
  Data: 0,
  /** The receiver may send `length` bytes more on the stream. */
  WindowUpdate: 1,
  /** `length` is a value that the answer repeats. */
  Ping: 2,
  /** `length` is a {@link GoAwayCode}. */
  GoAway: 3,
} as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

/** Bits of a header's flags. */
export const Flag = {
  /** Opens a stream; on a ping: a question. */
  Syn: 1,
  /** Accepts a stream; on a ping: an answer. */
  Ack: 2,
  /** The sender will send no more on the stream. */
  Fin: 4,
  /** The stream is dead. */
  Rst: 8,
} as const;

/** Why a side says go away. */
export const GoAwayCode = {
  /** No new streams; those open go on. */
  Normal: 0,
  /** The other side broke the protocol; the session ends. */
  ProtocolError: 1,
  /** This side failed; the session ends. */
  InternalError: 2,
} as const;
export type GoAwayCode = (typeof GoAwayCode)[keyof typeof GoAwayCode];

/** Every stream begins with this window in both directions, whatever the peers would like. */
export const initialWindowBytes = 256 * 1024;

/** A header as values. */
export interface YamuxHeader {
  version: number;
  type: number;
  flags: number;
  streamId: number;
  length: number;
}

/**
 * Writes a header of version 0.
 * @returns the offset after it.
 */
export function writeHeader(
  out: Uint8Array,
  offset: number,
  type: number,
  flags: number,
  streamId: number,
  length: number,
): number {
  out[offset] = 0;
  out[offset + 1] = type;
  out[offset + 2] = flags >>> 8;
  out[offset + 3] = flags;
  out[offset + 4] = streamId >>> 24;
  out[offset + 5] = streamId >>> 16;
  out[offset + 6] = streamId >>> 8;
  out[offset + 7] = streamId;
  writeLength(out, offset, length);
  return offset + headerBytes;
}

/** Writes the length of a header that is there already. */
export function writeLength(out: Uint8Array, offset: number, length: number): void {
  out[offset + 8] = length >>> 24;
  out[offset + 9] = length >>> 16;
  out[offset + 10] = length >>> 8;
  out[offset + 11] = length;
}

/** Reads a header of any version. At least twelve bytes must be there. */
export function readHeader(bytes: Uint8Array, offset: number): YamuxHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, headerBytes);
  return {
    version: view.getUint8(0),
    type: view.getUint8(1),
    flags: view.getUint16(2),
    streamId: view.getUint32(4),
    length: view.getUint32(8),
  };
}
