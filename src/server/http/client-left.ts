import type { AnswerTo } from "./answer.js";

/** Why the signal of a {@link ClientPresence} has ended: there is nobody to answer. */
export class ClientLeft extends Error {}

/** Whether a client still waits for its answer. */
export interface ClientPresence {
  /** Ends when the client leaves before its answer. */
  readonly signal: AbortSignal;
  /** Looks no more. */
  release(): void;
}

/**
 * Sees a client leave. Of an upgrade Node says only that its socket has ended, and that only while the client has sent
 * nothing since its request, which it may not before it has an answer.
 */
export function clientPresence(to: AnswerTo): ClientPresence {
  const left = new AbortController();
  const leave = () => left.abort(new ClientLeft("the client has left"));
  // an answer ends by itself, a socket when its client does
  const names = "writeHead" in to ? ["close"] : ["close", "end"];
  for (const name of names) to.once(name, leave);
  return {
    signal: left.signal,
    release() {
      for (const name of names) to.off(name, leave);
    },
  };
}
