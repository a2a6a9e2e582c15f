import { defaultMaxPacketBytes } from "../../codec/index.js";
import { type DuplexStream, TransportError } from "../../transport/index.js";
import { WaitingLine } from "../../transport/waiting-line.js";
import type { CallStream } from "./call-stream.js";
import { Conversation, type ConversationOwner } from "./conversation.js";
import type { StreamSource } from "./transport.js";

/** Where conversations come from and how many there are. */
export interface ConversationSourceOptions {
  /** Opens a stream for one conversation. What it throws is what the call fails with. */
  dial(signal: AbortSignal): Promise<DuplexStream>;
  /** Streams at the same time, and so calls; 8 by default. */
  maxStreams?: number;
  /** Calls that wait for a stream; 1,024 by default. More are refused with `too-many-waiting`. */
  maxWaitingCalls?: number;
  /** Largest message in bytes that is taken; 4 MiB by default. */
  maxMessageBytes?: number;
}

/**
 * Streams for calls where a stream has one call at a time: a free one is used again, another one is dialled while all
 * are busy, one stays when calls are over. One that is lost is replaced when the next call needs it.
 */
export interface ConversationSource extends StreamSource {
  /** Dials, where there is no stream, so that the next call need not. @throws what `dial` does. */
  connect(signal?: AbortSignal): Promise<void>;
  /** Ends all streams, and the calls on them. Later calls fail. */
  close(): void;
}

/** Puts calls on streams that carry one at a time, such as plain connections. */
export function createConversationSource(options: ConversationSourceOptions): ConversationSource {
  return new Conversations(options);
}

class Conversations implements ConversationSource, ConversationOwner {
  readonly #options: ConversationSourceOptions;
  readonly #maxStreams: number;
  readonly #maxWaitingCalls: number;
  readonly #all = new Set<Conversation>();
  readonly #line = new WaitingLine<CallStream>();
  /** What ends each attempt to dial that is under way. */
  readonly #dials = new Set<AbortController>();
  #closed: TransportError | undefined;

  constructor(options: ConversationSourceOptions) {
    this.#options = options;
    this.#maxStreams = options.maxStreams ?? 8;
    this.#maxWaitingCalls = options.maxWaitingCalls ?? 1_024;
  }

  async connect(signal?: AbortSignal): Promise<void> {
    if (this.#all.size === 0) await this.#dial(signal, (conversation) => this.onFree(conversation));
  }

  tryOpen(): CallStream | undefined {
    for (const conversation of this.#all) if (conversation.isFree) return conversation.take();
    return undefined;
  }

  async open(signal?: AbortSignal): Promise<CallStream> {
    const free = this.tryOpen();
    if (free !== undefined) return free;
    // one that is free in a moment is better than a new one, unless others wait for it
    const ending = [...this.#all].filter(({ isEnding }) => isEnding).length;
    if (ending <= this.#line.length && this.#hasRoom) {
      return this.#dial(signal, (conversation) => conversation.take());
    }
    if (this.#line.length >= this.#maxWaitingCalls) {
      throw new TransportError(
        "connection",
        "too-many-waiting",
        `${this.#line.length} calls wait for a connection already, which is the limit`,
      );
    }
    return this.#line.wait(signal);
  }

  close(): void {
    if (this.#closed !== undefined) return;
    const error = closedHere();
    this.#closed = error;
    this.#line.rejectAll(error);
    for (const dial of this.#dials) dial.abort(error);
    for (const conversation of [...this.#all]) conversation.close(error);
  }

  // ---- for conversations ----

  onFree(conversation: Conversation): void {
    if (this.#line.length > 0) {
      this.#line.serve(conversation.take());
      return;
    }
    // one is kept for the next call; more were for calls at the same time
    const hasAnother = [...this.#all].some((other) => other !== conversation && other.isFree);
    if (hasAnother) conversation.close(closedHere());
  }

  onOver(conversation: Conversation): void {
    this.#all.delete(conversation);
    if (this.#line.length > 0 && this.#hasRoom) void this.#dialForLine();
  }

  // ---- inside ----

  get #hasRoom(): boolean {
    return this.#all.size + this.#dials.size < this.#maxStreams;
  }

  /** @param use takes the new conversation at once, before another call can. */
  async #dial<T>(signal: AbortSignal | undefined, use: (conversation: Conversation) => T): Promise<T> {
    if (this.#closed !== undefined) throw this.#closed;
    const dial = new AbortController();
    const giveUp = () => dial.abort(signal?.reason);
    if (signal?.aborted) giveUp();
    signal?.addEventListener("abort", giveUp, { once: true });
    this.#dials.add(dial);
    let stream: DuplexStream;
    try {
      stream = await this.#options.dial(dial.signal);
      if (dial.signal.aborted) stream.reset();
      dial.signal.throwIfAborted();
    } catch (error) {
      this.#dials.delete(dial);
      this.#dialFailed(error, signal);
      throw error;
    } finally {
      this.#dials.delete(dial);
      signal?.removeEventListener("abort", giveUp);
    }
    const limit = this.#options.maxMessageBytes ?? defaultMaxPacketBytes;
    const conversation = new Conversation(stream, this, limit);
    this.#all.add(conversation);
    return use(conversation);
  }

  /** Whoever waits would wait for nothing where no stream is left, nor on its way. */
  #dialFailed(error: unknown, signal: AbortSignal | undefined): void {
    if (this.#line.length === 0 || this.#all.size + this.#dials.size > 0) return;
    if (signal?.aborted) void this.#dialForLine();
    else this.#line.rejectAll(error);
  }

  async #dialForLine(): Promise<void> {
    try {
      await this.#dial(undefined, (conversation) => this.onFree(conversation));
    } catch {
      // those in the line have been told, or are served by the streams that are left
    }
  }
}

function closedHere(): TransportError {
  return new TransportError("connection", "closed-locally", "the client was closed by this side");
}
