import type { GoPeer } from "../../support/go-peer.js";
import type { Mux, MuxStream } from "./multiplexer.js";

const timeoutMs = 15_000;

/** A session of the Go library, as the suite wants it. */
export function goMux(peer: GoPeer, session: number): Mux {
  return {
    open: async () => goStream(peer, await peer.handle("open", { handle: session, timeoutMs })),
    accept: async () => goStream(peer, await peer.handle("accept", { handle: session, timeoutMs })),
    ping: async () => void (await peer.do("ping", { handle: session })),
    goAway: async () => void (await peer.do("goAway", { handle: session })),
    close: async () => void (await peer.do("close", { handle: session })),
    ended: async () => void (await peer.do("closed", { handle: session, timeoutMs })),
    streamCount: async () => Number((await peer.do("numStreams", { handle: session }))["streams"]),
  };
}

function goStream(peer: GoPeer, handle: number): MuxStream {
  return {
    async write(bytes) {
      await peer.do("write", { handle, dataB64: Buffer.from(bytes).toString("base64"), timeoutMs });
    },
    async read() {
      const { dataB64, eof } = await peer.do("read", { handle, max: 64 * 1024, timeoutMs });
      const bytes = Buffer.from(String(dataB64 ?? ""), "base64");
      return eof === true && bytes.length === 0 ? undefined : bytes;
    },
    async readAll() {
      const { size, sha256 } = await peer.do("readAll", { handle, timeoutMs });
      return { size: Number(size), sha256: String(sha256) };
    },
    closeWrite: async () => void (await peer.do("closeWrite", { handle })),
  };
}
