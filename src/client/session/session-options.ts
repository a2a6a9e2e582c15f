import type { AgentConnection } from "../dial/agent-connection.js";
import type { TypedVersion } from "../dial/dial.js";
import type { VersionChoice } from "../dial/dial-options.js";
import type { Sender } from "../senders/sender.js";
import type { BackoffOptions } from "./backoff.js";
import type { FinalAnswerOptions } from "./final-answers.js";
import type { ReinitFollowing } from "./follow-reinits.js";
import type { SessionState, Unsent } from "./states.js";

/** How a session over connections of one kind behaves, whatever it dials with. */
export interface SessionOptionsOver<C> extends FinalAnswerOptions, ReinitFollowing {
  /**
   * Kept going over all connections; what they have accepted and not sent survives a reconnect. None by default.
   */
  senders?: readonly Sender[];

  /**
   * Called with each connection. What it does may last as long as the connection: the signal ends with that, and when
   * the session begins to close. When it fails the connection is given up, and the session dials again; when it
   * returns nothing happens.
   */
  onConnected?(connection: C, signal: AbortSignal): void | Promise<void>;

  /** How long to wait before dialling again. */
  backoff?: BackoffOptions;

  /** Ends the session at once, without sending what is left: for an end in order there is `close`. */
  signal?: AbortSignal;
}

/** How a session of an agent behaves, whatever it dials with. */
export type SessionOptions<V extends VersionChoice = "negotiate"> = SessionOptionsOver<
  AgentConnection<TypedVersion<V>>
>;

/** How a session ended. */
export interface SessionEnd {
  /** Why, unless it was closed. */
  error: Error | undefined;
  /** What senders had accepted and could not send. Empty when all was sent. */
  unsent: readonly Unsent[];
}

/** A session of an agent, or beside one, that lives on over many connections. */
export type ReconnectingSession<V extends VersionChoice = "negotiate"> = SessionOver<
  AgentConnection<TypedVersion<V>>
>;

/** A session that lives on over many connections. */
export interface SessionOver<C> extends AsyncDisposable {
  /** Where it is now. */
  readonly state: SessionState<C>;

  /**
   * Where it is now, and each change; the last is `stopped`. A reader that is more than 64 changes behind misses the
   * oldest.
   * @param signal ends the iteration.
   */
  states(signal?: AbortSignal): AsyncIterableIterator<SessionState<C>>;

  /**
   * The connection, as soon as there is one.
   * @throws why the session has stopped, when it has; the signal's reason when that ends first.
   */
  connected(signal?: AbortSignal): Promise<C>;

  /** Gives the present connection up and dials again, so that `onConnected` runs anew. */
  reconnect(reason?: string): void;

  /** Resolves when the session has ended. Never rejects. */
  readonly ended: Promise<SessionEnd>;

  /**
   * Ends the session in order: what `onConnected` does ends first, then senders send what they have, then streams
   * end, the multiplexer says so, and the socket closes. A connection that is lost meanwhile is not replaced; one
   * that was lost before is, as long as there is something to send.
   * @param options.timeoutMs for all of that; 5,000 by default.
   */
  close(options?: { timeoutMs?: number }): Promise<SessionEnd>;
}
