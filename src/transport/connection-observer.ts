import type { ByteConnection } from "./connection.js";

/** Which end of a connection this program is: the one that dialled, or the one that was dialled. */
export type ConnectionSide = "client" | "server";

/**
 * Looks on at a connection: gets one that has just opened, and gives the one to use in its place, which passes on
 * everything. `observing` in `agentwire/observe` makes one. It must not throw.
 */
export type ConnectionObserver = (connection: ByteConnection, side: ConnectionSide) => ByteConnection;
