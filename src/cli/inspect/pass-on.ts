import type { Duplex } from "node:stream";

/** How long a side may stay open that has been told that the other has gone. */
const lingerMs = 5000;

/**
 * Passes on the bytes of one side to the other, unchanged, and its end. A side that does not take them holds the other:
 * no more than the buffers of two sockets are kept.
 * @param onBytes told of them as they pass.
 */
export function passOn(from: Duplex, to: Duplex, onBytes: (bytes: Buffer) => void): void {
  from.on("data", (bytes: Buffer) => {
    if (!to.write(bytes)) from.pause();
    onBytes(bytes);
  });
  to.on("drain", () => from.resume());
  from.on("end", () => to.end());
  from.on("close", () => {
    if (!to.writableEnded) {
      to.destroy();
      return;
    }
    // after an end in order, what was written still goes out
    const timer = setTimeout(() => to.destroy(), lingerMs);
    if (to.closed) clearTimeout(timer);
    else to.on("close", () => clearTimeout(timer));
  });
}
