import type { TransportError } from "../errors.js";
import type { YamuxOptions } from "./options.js";
import type { YamuxStream } from "./stream.js";

/** How a session is made. */
export interface SessionOptions extends YamuxOptions {
  /** The side that dialled is the client: its streams have odd ids. */
  role: "client" | "server";
  /**
   * Takes each stream that the peer opens, at once. Without it streams wait for `accept()`, at most
   * `acceptBacklog` of them.
   */
  onStream?: (stream: YamuxStream) => void;
}

/**
 * A yamux session: many streams over one connection. All of W3, for both roles.
 *
 * Whatever ends the session, each stream, each waiting call and `closed` get the same error, which says why.
 */
export interface YamuxSession {
  /** Resolves when the session has ended, with the reason. Never rejects. */
  readonly closed: Promise<TransportError>;

  /** Streams that are open. */
  readonly streamCount: number;

  /** Why the session ended; undefined while it lives. */
  readonly error: TransportError | undefined;

  /** True while streams can be opened. */
  readonly isAccepting: boolean;

  /**
   * Opens a stream if that needs no waiting. The peer hears of it with the first data, or at the end of the tick.
   * @returns undefined when too many streams are open or unacknowledged: use {@link open}, which waits.
   * @throws TransportError when the session has ended, or the peer takes no more streams.
   */
  tryOpen(): YamuxStream | undefined;

  /**
   * Opens a stream, waiting for others to end or to be acknowledged where too many are open.
   * @param signal ends the wait.
   * @throws TransportError as {@link tryOpen}, or when too many callers wait already; the signal's reason.
   */
  open(signal?: AbortSignal): Promise<YamuxStream>;

  /**
   * The next stream that the peer has opened; for sessions without `onStream`.
   * @param signal ends the wait.
   * @throws TransportError when the session has ended; the signal's reason.
   */
  accept(signal?: AbortSignal): Promise<YamuxStream>;

  /**
   * Asks the peer for a sign of life.
   * @returns the round trip in milliseconds.
   * @throws TransportError when no answer comes within `pingTimeoutMs`; the session lives on. Or when it has ended.
   */
  ping(): Promise<number>;

  /** Tells the peer that no new streams are taken. Open ones go on. */
  goAway(): void;

  /**
   * Ends the session in order: opens no more streams, says go away, waits for the open ones, closes the connection.
   * A second call waits for the first.
   * @param timeoutMs how long to wait for the streams; 0 by default.
   * @returns when the session has ended.
   */
  close(timeoutMs?: number): Promise<void>;

  /** Ends the session now, for a reason that every stream and waiter gets. */
  abort(error: TransportError, closeCode?: number): void;
}
