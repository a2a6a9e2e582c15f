import type { TransportError } from "./errors.js";

/** Takes what a stream delivers, at once and in order. */
export interface StreamReceiver {
  /**
   * @returns how many of the bytes were taken. The rest stays with the stream until `resume()`; only what was
   * taken gives window back to the peer.
   */
  onData(bytes: Uint8Array): number;
  /** Of what was taken, so much waits for more of a message, or for the application. */
  readonly heldBytes?: number;
  /**
   * True while the application does not wait for more. What is held gives window back to the peer later then, unless it
   * is more than half a window; whoever has stopped reading calls `resume()` when the application goes on.
   */
  readonly isBehind?: boolean;
  /** The peer will send no more; all data has been taken. */
  onEnd(): void;
  /** The peer will send no more, while data that came before waits to be taken. `onEnd` follows when it has been. */
  onEndAhead(): void;
  /** The stream is over: reset by the peer, or its session has ended. Not called when it ended in order. */
  onReset(error: TransportError): void;
  /** All that `send` had to hold back has left. Called after `send` returned false. */
  onWritable(): void;
}

/**
 * Bytes in both directions with an end of their own each: a yamux stream, or a connection that carries just one.
 * The shape is push, without promises, because it is on the way of every call.
 */
export interface DuplexStream {
  /** The yamux stream; 0 for a connection of its own. */
  readonly id: number;
  /** True until it is over in both directions. */
  readonly isAlive: boolean;

  /** Has everything delivered to a receiver from now on, first of all what waits already. */
  setReceiver(receiver: StreamReceiver): void;

  /** Delivers again after `onData` took less than it was given, or has held some of it. */
  resume(): void;

  /**
   * Begins a frame of this many bytes, which the caller writes into {@link memory} at once.
   * @returns where to write, or -1 when it has to be `send`: too much, or something has to be held back.
   * @throws TransportError when this side has ended the stream, or it is over.
   */
  begin(length: number): number;

  /** Where the place that {@link begin} gave is; good until the next call of any method. */
  readonly memory: Uint8Array;

  /**
   * Sends bytes. The arrays must not be changed until they have left: those for which `false` was returned, until
   * `onWritable`.
   * @param areReused they may be changed as soon as this returns: what cannot leave at once is copied.
   * @returns false when something had to be held back; the caller should wait for `onWritable`.
   * @throws TransportError when this side has ended the stream, or it is over.
   */
  send(parts: readonly Uint8Array[], areReused?: boolean): boolean;

  /** Ends this direction after all that was sent. Does nothing when done before. */
  closeWrite(): void;

  /**
   * Ends this direction where nobody wants what is still held back: FIN when all has left, RST otherwise. With FIN
   * behind data for which the peer gives no window any more, the stream would stay.
   */
  finish(): void;

  /** Kills the stream; what was not sent or read is lost. Does nothing when it is over. */
  reset(): void;

  /** Has the stream reset if the peer does not end it within the close time-out. */
  expectEnd(): void;

  /** Takes {@link expectEnd} back. */
  expectMore(): void;
}
