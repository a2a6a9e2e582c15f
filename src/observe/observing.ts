import type { ByteConnection, ConnectionObserver, ConnectionSide } from "../transport/index.js";
import { ConnectionDecoder, type DecoderOptions } from "./connection-decoder.js";
import type { Direction, EndEvent, WireListener } from "./events.js";

/** What is told of connections within a program. */
export type ObservingOptions = Omit<DecoderOptions, "connection">;

/**
 * An observer for the option of that name of `dialAgent`, `connectAgent`, `attachRpc` and their like: it tells
 * everything that goes over the connections of a program, as `agentwire inspect` does. Connections are numbered from 1;
 * secrets are hidden unless the options say otherwise.
 *
 * @param listener called as bytes pass, before they go on. It must be quick, and must not throw: what it throws is
 * left out.
 */
export function observing(listener: WireListener, options: ObservingOptions = {}): ConnectionObserver {
  let connections = 0;
  return (connection, side) =>
    observed(connection, side, new ConnectionDecoder(listener, { ...options, connection: ++connections }));
}

function observed(inner: ByteConnection, side: ConnectionSide, decoder: ConnectionDecoder): ByteConnection {
  const [out, into]: [Direction, Direction] =
    side === "client" ? ["to-server", "to-client"] : ["to-client", "to-server"];
  let ending: Pick<EndEvent, "code" | "reason" | "direction"> | undefined;
  decoder.open(inner.name);
  return {
    get name() {
      return inner.name;
    },
    get bufferedBytes() {
      return inner.bufferedBytes;
    },
    attach(receiver) {
      inner.attach({
        onBytes(bytes) {
          decoder.message(into, bytes);
          receiver.onBytes(bytes);
        },
        onDrain: () => receiver.onDrain(),
        onEnd(end) {
          const { closeCode: code } = end;
          decoder.end(
            ending ?? { ...(code !== undefined && { code, direction: into }), reason: end.message },
          );
          receiver.onEnd(end);
        },
      });
    },
    write(bytes) {
      decoder.message(out, bytes);
      inner.write(bytes);
    },
    pauseReading: () => inner.pauseReading(),
    resumeReading: () => inner.resumeReading(),
    close(code, reason) {
      ending ??= { code, ...(reason !== "" && { reason }), direction: out };
      inner.close(code, reason);
    },
    abort() {
      ending ??= { reason: "cut off by this side" };
      inner.abort();
    },
  };
}
