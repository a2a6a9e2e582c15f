/**
 * Messages of the WebSocket candidate that joins calls: one after the other, each an id and a length of four bytes, and
 * the payload. Answers are the same.
 */
export const headerBytes = 8;

/** Puts calls or answers together, until they are taken as one message. */
export class Joined {
  #bytes = Buffer.allocUnsafe(64 * 1024);
  #length = 0;

  get isEmpty() {
    return this.#length === 0;
  }

  /**
   * @param {number} id
   * @param {Uint8Array} payload
   */
  add(id, payload) {
    const end = this.#length + headerBytes + payload.length;
    if (end > this.#bytes.length) {
      this.#bytes = Buffer.concat([this.#bytes.subarray(0, this.#length)], 2 * end);
    }
    this.#bytes.writeUInt32LE(id, this.#length);
    this.#bytes.writeUInt32LE(payload.length, this.#length + 4);
    if (payload.length > 0) this.#bytes.set(payload, this.#length + headerBytes);
    this.#length = end;
  }

  take() {
    const message = Buffer.from(this.#bytes.subarray(0, this.#length));
    this.#length = 0;
    return message;
  }
}

/**
 * @param {Buffer} message
 * @param {(id: number, payload: Buffer) => void} each
 */
export function takeApart(message, each) {
  for (let at = 0; at < message.length; ) {
    const start = at + headerBytes;
    const end = start + message.readUInt32LE(at + 4);
    each(message.readUInt32LE(at), message.subarray(start, end));
    at = end;
  }
}
