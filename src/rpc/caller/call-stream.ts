import type { PacketReader, Uint64 } from "../../codec/index.js";
import type { DuplexStream } from "../../transport/index.js";

/** The place of one call on a stream that has several, one after the other. W1.3. */
export interface CallTurn {
  /** The dRPC stream id of the call. */
  readonly rpcStream: Uint64;
  /** Reads for all calls of the stream: what came before may have ended in the middle of a frame. */
  readonly reader: Pick<PacketReader, "push" | "heldBytes">;
}

/** A stream as a call needs it. */
export interface CallStream extends DuplexStream {
  /** Where calls share it; without, the call is the stream's only one. */
  readonly turn?: CallTurn;
}
