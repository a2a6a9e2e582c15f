import { createHash } from "node:crypto";
import { onTestFinished } from "vitest";
import {
  type ByteConnection,
  createYamuxSession,
  PulledStream,
  type YamuxOptions,
  type YamuxSession,
  type YamuxStream,
} from "../../../src/transport/index.js";
import type { Mux, MuxStream } from "./multiplexer.js";

/** A session of this library on a connection, as the suite wants it. Ends with the test. */
export function ourMux(
  connection: ByteConnection,
  role: "client" | "server",
  options: YamuxOptions = {},
): Mux {
  const session: YamuxSession = createYamuxSession(connection, { role, ...options });
  onTestFinished(() => session.close());
  return {
    open: async () => ourStream(await session.open()),
    accept: async () => ourStream(await session.accept()),
    ping: async () => void (await session.ping()),
    goAway: async () => session.goAway(),
    close: () => session.close(),
    ended: async () => void (await session.closed),
    streamCount: async () => session.streamCount,
  };
}

function ourStream(opened: YamuxStream): MuxStream {
  const stream = new PulledStream(opened);
  return {
    write: (bytes) => stream.write(bytes),
    read: () => stream.read(),
    async readAll() {
      const hash = createHash("sha256");
      let size = 0;
      for await (const bytes of stream) {
        hash.update(bytes);
        size += bytes.length;
      }
      return { size, sha256: hash.digest("hex") };
    },
    closeWrite: async () => stream.closeWrite(),
    reset: async () => stream.reset(),
  };
}
