import type { ByteConnection, ConnectionReceiver } from "../../src/transport/index.js";

/** Delivers what comes cut at other places: `sizes` over and over. */
export function recut(inner: ByteConnection, sizes: readonly number[]): ByteConnection {
  let turn = 0;
  return {
    get name() {
      return inner.name;
    },
    get bufferedBytes() {
      return inner.bufferedBytes;
    },
    attach(receiver: ConnectionReceiver) {
      inner.attach({
        onBytes(bytes) {
          for (let at = 0; at < bytes.length; ) {
            const size = Math.max(1, sizes[turn++ % sizes.length] ?? bytes.length);
            receiver.onBytes(bytes.subarray(at, at + size));
            at += size;
          }
        },
        onDrain: () => receiver.onDrain(),
        onEnd: (end) => receiver.onEnd(end),
      });
    },
    write: (bytes) => inner.write(bytes),
    pauseReading: () => inner.pauseReading(),
    resumeReading: () => inner.resumeReading(),
    close: (code, reason) => inner.close(code, reason),
    abort: () => inner.abort(),
  };
}
