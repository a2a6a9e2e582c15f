import {
  Flag,
  type FrameSink,
  FrameType,
  GoAwayCode,
  WireError,
  YamuxFrameReader,
} from "../../codec/index.js";
import { type ByteConnection, CloseCode, type ConnectionReceiver } from "../connection.js";
import { TransportError, type TransportErrorCode } from "../errors.js";
import { WaitingLine } from "../waiting-line.js";
import { closedByThisSide, closing, peerNotAccepting } from "./failures.js";
import { Pings } from "./keepalive.js";
import { StreamOpener } from "./opener.js";
import { type ResolvedYamuxOptions, resolveYamuxOptions, type YamuxOptions } from "./options.js";
import { Outbox } from "./outbox.js";
import { SendTurns } from "./send-turns.js";
import { type StreamHost, YamuxStream } from "./stream.js";
import { StreamState } from "./stream-state.js";
import { StreamTable } from "./stream-table.js";

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
export class YamuxSession {
  readonly #connection: ByteConnection;
  readonly #options: ResolvedYamuxOptions;
  readonly #onStream: ((stream: YamuxStream) => void) | undefined;
  readonly #reader = new YamuxFrameReader();
  readonly #outbox: Outbox;
  readonly #turns: SendTurns;
  readonly #pings: Pings;
  readonly #opener: StreamOpener;
  readonly #streams = new StreamTable<YamuxStream>();

  /** Streams that were opened or accepted in this tick and have not said so yet. */
  #unannounced: YamuxStream[] = [];
  readonly #backlog: YamuxStream[] = [];
  readonly #acceptLine = new WaitingLine<YamuxStream>();

  #receivedBytes = 0;
  #clock = 0;
  #sweeper: ReturnType<typeof setInterval> | undefined;

  /** The stream of the data frame being read; undefined while its body is drained. */
  #bodyOf: YamuxStream | undefined;
  #bodyHasFin = false;

  #hasGoneAway = false;
  #peerHasGoneAway = false;
  #closing: Promise<void> | undefined;
  #onLastStreamEnded: (() => void) | undefined;
  #end: TransportError | undefined;
  #resolveClosed: (error: TransportError) => void = () => {};

  /** Resolves when the session has ended, with the reason. Never rejects. */
  readonly closed: Promise<TransportError>;

  /** @internal Use {@link createYamuxSession}. */
  constructor(connection: ByteConnection, options: SessionOptions) {
    this.#connection = connection;
    this.#options = resolveYamuxOptions(options);
    this.#onStream = options.onStream;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#outbox = new Outbox(connection, this.#options, () => this.#beforeFlush());
    this.#turns = new SendTurns(this.#outbox);
    this.#opener = new StreamOpener(
      {
        checkMayOpen: () => this.#checkMayOpen(),
        create: (id) => this.#create(id, StreamState.Idle),
        isIdUsed: (id) => this.#streams.has(id),
      },
      this.#options,
      options.role === "client" ? 1 : 2,
    );
    this.#pings = new Pings(
      {
        receivedBytes: () => this.#receivedBytes,
        frame: (type, flags, id, length) => this.#outbox.frame(type, flags, id, length),
      },
      this.#options.pingTimeoutMs,
    );
    if (this.#options.keepAliveIntervalMs > 0) {
      this.#pings.watch(
        this.#options.keepAliveIntervalMs,
        () => this.#outbox.releaseIfIdle(),
        () => this.#fail("ping-timeout", CloseCode.GoingAway, this.#pingTimeoutText()),
      );
    }
    connection.attach(this.#receiver);
  }

  /** Streams that are open. */
  get streamCount(): number {
    return this.#streams.size;
  }

  /** Why the session ended; undefined while it lives. */
  get error(): TransportError | undefined {
    return this.#end;
  }

  /** True while streams can be opened. */
  get isAccepting(): boolean {
    return this.#end === undefined && !this.#peerHasGoneAway;
  }

  // ---- streams ----

  /**
   * Opens a stream if that needs no waiting. The peer hears of it with the first data, or at the end of the tick.
   * @returns undefined when too many streams are open or unacknowledged: use {@link open}, which waits.
   * @throws TransportError when the session has ended, or the peer takes no more streams.
   */
  tryOpen(): YamuxStream | undefined {
    return this.#opener.tryOpen();
  }

  /**
   * Opens a stream, waiting for others to end or to be acknowledged where too many are open.
   * @param signal ends the wait.
   * @throws TransportError as {@link tryOpen}, or when too many callers wait already; the signal's reason.
   */
  open(signal?: AbortSignal): Promise<YamuxStream> {
    return this.#opener.open(signal);
  }

  /**
   * The next stream that the peer has opened; for sessions without `onStream`.
   * @param signal ends the wait.
   * @throws TransportError when the session has ended; the signal's reason.
   */
  async accept(signal?: AbortSignal): Promise<YamuxStream> {
    signal?.throwIfAborted();
    for (let stream = this.#backlog.shift(); stream !== undefined; stream = this.#backlog.shift()) {
      if (!stream.isAlive) continue;
      this.#announceLater(stream);
      return stream;
    }
    if (this.#end !== undefined) throw this.#end;
    return this.#acceptLine.wait(signal);
  }

  /**
   * Asks the peer for a sign of life.
   * @returns the round trip in milliseconds.
   * @throws TransportError when no answer comes within `pingTimeoutMs`; the session lives on. Or when it has ended.
   */
  async ping(): Promise<number> {
    if (this.#end !== undefined) throw this.#end;
    const roundTripMs = await this.#pings.ping();
    if (roundTripMs !== undefined) return roundTripMs;
    throw this.#end ?? new TransportError("session", "ping-timeout", this.#pingTimeoutText());
  }

  // ---- end ----

  /** Tells the peer that no new streams are taken. Open ones go on. */
  goAway(): void {
    if (this.#hasGoneAway || this.#end !== undefined) return;
    this.#hasGoneAway = true;
    this.#outbox.frame(FrameType.GoAway, 0, 0, GoAwayCode.Normal);
  }

  /**
   * Ends the session in order: opens no more streams, says go away, waits for the open ones, closes the connection.
   * A second call waits for the first.
   * @param timeoutMs how long to wait for the streams; 0 by default.
   * @returns when the session has ended.
   */
  close(timeoutMs = 0): Promise<void> {
    this.#closing ??= this.#closeInOrder(timeoutMs);
    return this.#closing;
  }

  /** Ends the session now, for a reason that every stream and waiter gets. */
  abort(error: TransportError, closeCode: number = CloseCode.InternalError): void {
    this.#finish(error, closeCode, error.message);
  }

  async #closeInOrder(timeoutMs: number): Promise<void> {
    this.goAway();
    this.#opener.rejectAll(closing());
    if (timeoutMs > 0 && this.#end === undefined && this.#streams.size > 0) {
      await this.#lastStreamEnded(timeoutMs);
    }
    this.#finish(closedByThisSide(), CloseCode.Normal, "");
    await this.closed;
  }

  #lastStreamEnded(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#onLastStreamEnded = undefined;
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      this.#onLastStreamEnded = done;
    });
  }

  // ---- what arrives ----

  readonly #receiver: ConnectionReceiver = {
    onBytes: (bytes) => {
      if (this.#end !== undefined) return;
      this.#receivedBytes += bytes.length;
      try {
        this.#reader.push(bytes, this.#frames);
      } catch (error) {
        this.#readFailed(error);
      }
    },
    onDrain: () => {
      this.#outbox.onDrain();
      this.#turns.onDrain();
    },
    onEnd: (end) => this.#ended(end),
  };

  readonly #frames: FrameSink = {
    onFrame: (type, flags, streamId, length) => {
      this.#bodyOf = undefined;
      // what follows a frame that ended the session is not looked at
      if (this.#end !== undefined) return;
      if (type === FrameType.Data) this.#onData(flags, streamId, length);
      else if (type === FrameType.WindowUpdate) this.#onWindowUpdate(flags, streamId, length);
      else if (type === FrameType.Ping) this.#onPing(flags, length);
      else this.#onGoAway(length);
    },
    onBody: (bytes, isLast) => {
      const stream = this.#bodyOf;
      if (stream === undefined) return;
      stream.receiveData(bytes);
      if (isLast && this.#bodyHasFin) stream.receiveFin();
    },
  };

  #onData(flags: number, streamId: number, length: number): void {
    const stream = this.#streamOf(flags, streamId);
    if (stream === undefined) return;
    if (flags !== 0 || stream.isUnacknowledged) stream.receiveFlags(flags);
    if (!stream.isAlive) return;
    if (!stream.reserve(length)) {
      this.#violate(`yamux stream ${streamId}: a frame of ${length} bytes is more than its window allows`);
      return;
    }
    this.#bodyOf = stream;
    this.#bodyHasFin = (flags & Flag.Fin) !== 0;
    if (this.#bodyHasFin && length === 0) stream.receiveFin();
  }

  #onWindowUpdate(flags: number, streamId: number, length: number): void {
    const stream = this.#streamOf(flags, streamId);
    if (stream === undefined) return;
    if (flags !== 0 || stream.isUnacknowledged) stream.receiveFlags(flags);
    if (!stream.isAlive) return;
    if (length > 0) stream.receiveCredit(length);
    if ((flags & Flag.Fin) !== 0) stream.receiveFin();
  }

  /** The stream of a frame: a new one for SYN, undefined where the frame is to be dropped. */
  #streamOf(flags: number, streamId: number): YamuxStream | undefined {
    const known = this.#streams.get(streamId);
    if ((flags & Flag.Syn) === 0) return known;
    if (known !== undefined) {
      this.#violate(`yamux: stream ${streamId} was opened twice`);
      return undefined;
    }
    return (flags & Flag.Rst) === 0 ? this.#acceptNew(streamId) : undefined;
  }

  #acceptNew(streamId: number): YamuxStream | undefined {
    const isWanted = this.#onStream !== undefined || this.#acceptLine.length > 0;
    const hasRoom = this.#streams.size < this.#options.maxStreams;
    const mayWait = this.#backlog.length < this.#options.acceptBacklog;
    if (this.#hasGoneAway || !hasRoom || !(isWanted || mayWait)) {
      this.#outbox.frame(FrameType.WindowUpdate, Flag.Rst, streamId, 0);
      return undefined;
    }
    const stream = this.#create(streamId, StreamState.SynReceived);
    if (this.#onStream !== undefined) {
      this.#announceLater(stream);
      this.#onStream(stream);
    } else if (this.#acceptLine.serve(stream)) {
      this.#announceLater(stream);
    } else {
      this.#backlog.push(stream);
    }
    return stream;
  }

  #onPing(flags: number, value: number): void {
    if ((flags & Flag.Syn) !== 0) this.#outbox.frame(FrameType.Ping, Flag.Ack, 0, value);
    else if ((flags & Flag.Ack) !== 0) this.#pings.onAnswer(value);
  }

  #onGoAway(code: number): void {
    if (code === GoAwayCode.Normal) {
      this.#peerHasGoneAway = true;
      this.#opener.rejectAll(peerNotAccepting());
    } else if (code === GoAwayCode.ProtocolError) {
      const text = "yamux: the peer says that this side broke the protocol (go away 1)";
      this.#fail("peer-protocol-error", CloseCode.Normal, text);
    } else {
      this.#fail(
        "peer-internal-error",
        CloseCode.Normal,
        `yamux: the peer says that it failed (go away ${code})`,
      );
    }
  }

  // ---- what streams need ----

  readonly #host: StreamHost = this.#makeHost();

  #makeHost(): StreamHost {
    const session = this;
    return {
      get maxWindowBytes() {
        return session.#options.maxWindowBytes;
      },
      get clock() {
        return session.#clock;
      },
      frame: (type, flags, id, length) => session.#outbox.frame(type, flags, id, length),
      beginData: (flags, id, length) => session.#turns.begin(flags, id, length),
      get memory() {
        return session.#outbox.memory;
      },
      wantsToSend: (stream) => session.#turns.add(stream),
      acknowledged: (stream) => session.#opener.acknowledged(stream),
      ended: (stream) => session.#forget(stream),
      violated: (message) => session.#violate(message),
    };
  }

  #create(id: number, state: typeof StreamState.Idle | typeof StreamState.SynReceived): YamuxStream {
    const stream = new YamuxStream(this.#host, id, state);
    this.#streams.add(stream);
    this.#sweeper ??= setInterval(() => this.#sweep(), this.#sweepMs());
    if (state === StreamState.Idle) this.#announceLater(stream);
    return stream;
  }

  #forget(stream: YamuxStream): void {
    if (!this.#streams.delete(stream)) return;
    if (stream === this.#bodyOf) this.#bodyOf = undefined;
    if (stream.isOurs) this.#opener.ended(stream);
    if (this.#streams.size === 0) this.#onLastStreamEnded?.();
  }

  #announceLater(stream: YamuxStream): void {
    this.#unannounced.push(stream);
    this.#outbox.schedule();
  }

  /** What has waited for the end of the tick. */
  #beforeFlush(): void {
    this.#turns.run();
    if (this.#unannounced.length === 0) return;
    const streams = this.#unannounced;
    this.#unannounced = [];
    for (const stream of streams) stream.announce();
  }

  #checkMayOpen(): void {
    if (this.#end !== undefined) throw this.#end;
    if (this.#closing !== undefined) throw closing();
    if (this.#peerHasGoneAway) throw peerNotAccepting();
  }

  // ---- time ----

  /** Streams that wait for the peer are looked at in these intervals, instead of having a timer each. */
  #sweepMs(): number {
    const shortest = Math.min(this.#options.streamOpenTimeoutMs, this.#options.streamCloseTimeoutMs);
    return Math.max(10, Math.min(10_000, shortest / 4));
  }

  #sweep(): void {
    this.#clock++;
    this.#streams.trim();
    if (this.#streams.size === 0) {
      clearInterval(this.#sweeper);
      this.#sweeper = undefined;
      return;
    }
    const sweepMs = this.#sweepMs();
    const { streamOpenTimeoutMs, streamCloseTimeoutMs } = this.#options;
    for (const stream of this.#streams.all()) {
      if (stream.waitingSince < 0) continue;
      const waitedMs = (this.#clock - stream.waitingSince) * sweepMs;
      if (stream.state > StreamState.SynSent) {
        if (waitedMs > streamCloseTimeoutMs) stream.expire(streamCloseTimeoutMs);
      } else if (waitedMs > streamOpenTimeoutMs) {
        const text = `yamux stream ${stream.id}: the peer did not acknowledge it within ${streamOpenTimeoutMs} ms`;
        this.#fail("open-timeout", CloseCode.GoingAway, text);
        return;
      }
    }
  }

  #pingTimeoutText(): string {
    return `yamux: the peer did not answer a ping within ${this.#options.pingTimeoutMs} ms`;
  }

  // ---- how it ends ----

  #readFailed(error: unknown): void {
    if (error instanceof WireError) {
      this.#violate(error.message, error);
      return;
    }
    const text = error instanceof Error ? error.message : String(error);
    const failure = new TransportError(
      "session",
      "failed-locally",
      `this side of the session failed: ${text}`,
      {
        cause: error,
      },
    );
    this.#finish(failure, CloseCode.InternalError, "internal error", GoAwayCode.InternalError);
  }

  /** The peer broke the protocol. */
  #violate(message: string, cause?: unknown): void {
    const error = new TransportError("session", "protocol-error", message, { cause });
    this.#finish(error, CloseCode.ProtocolError, message, GoAwayCode.ProtocolError);
  }

  #fail(code: TransportErrorCode, closeCode: number, message: string): void {
    this.#finish(new TransportError("session", code, message), closeCode, message);
  }

  /** Ends the session and the connection under it. */
  #finish(error: TransportError, closeCode: number, reason: string, goAway?: GoAwayCode): void {
    if (this.#end !== undefined) return;
    this.#outbox.flush();
    if (goAway !== undefined) {
      this.#outbox.frame(FrameType.GoAway, 0, 0, goAway);
      this.#outbox.flush();
    }
    this.#ended(error);
    this.#connection.close(closeCode, reason);
  }

  #ended(error: TransportError): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    this.#bodyOf = undefined;
    clearInterval(this.#sweeper);
    this.#pings.close();
    this.#turns.clear();
    this.#unannounced = [];
    this.#backlog.length = 0;
    this.#opener.rejectAll(error);
    this.#acceptLine.rejectAll(error);
    for (const stream of this.#streams.all()) stream.sessionEnded(error);
    this.#onLastStreamEnded?.();
    this.#resolveClosed(error);
  }
}

/**
 * Starts a yamux session on a connection.
 * @throws RangeError for an option out of its range.
 */
export function createYamuxSession(connection: ByteConnection, options: SessionOptions): YamuxSession {
  return new YamuxSession(connection, options);
}
