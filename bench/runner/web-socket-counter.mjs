const mostHeaderBytes = 14;

/** Counts the data messages in one direction of a WebSocket, from after its upgrade. */
export class WebSocketCounter {
  messages = 0;
  #isOpen = false;
  /** The end of the bytes before, while the upgrade goes on. */
  #tail = "";
  #header = Buffer.alloc(mostHeaderBytes);
  #headerBytes = 0;
  #bodyLeft = 0;

  /** @param {Buffer} chunk */
  push(chunk) {
    let at = this.#isOpen ? 0 : this.#skipUpgrade(chunk);
    while (at < chunk.length) {
      if (this.#bodyLeft > 0) {
        const taken = Math.min(this.#bodyLeft, chunk.length - at);
        this.#bodyLeft -= taken;
        at += taken;
      } else {
        this.#header[this.#headerBytes++] = chunk[at++];
        if (this.#headerBytes >= 2 && this.#headerBytes === this.#headerLength()) this.#onHeader();
      }
    }
  }

  /**
   * @param {Buffer} chunk
   * @returns {number} where the WebSocket begins in it
   */
  #skipUpgrade(chunk) {
    const text = this.#tail + chunk.toString("latin1");
    const end = text.indexOf("\r\n\r\n");
    if (end < 0) {
      this.#tail = text;
      return chunk.length;
    }
    this.#isOpen = true;
    return end + 4 - this.#tail.length;
  }

  #headerLength() {
    const second = this.#header[1];
    const short = second & 0x7f;
    const lengthBytes = short === 127 ? 8 : short === 126 ? 2 : 0;
    const maskBytes = second & 0x80 ? 4 : 0;
    return 2 + lengthBytes + maskBytes;
  }

  #onHeader() {
    const short = this.#header[1] & 0x7f;
    if (short === 127) this.#bodyLeft = Number(this.#header.readBigUInt64BE(2));
    else this.#bodyLeft = short === 126 ? this.#header.readUInt16BE(2) : short;
    this.#headerBytes = 0;
    const isLast = (this.#header[0] & 0x80) !== 0;
    const isControl = (this.#header[0] & 0x08) !== 0;
    if (isLast && !isControl) this.messages++;
  }
}
