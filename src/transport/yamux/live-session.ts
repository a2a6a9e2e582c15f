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
import { type PingHost, Pings, type WatchHost } from "./keepalive.js";
import { LateCredit } from "./late-credit.js";
import { type OpenerHost, StreamOpener } from "./opener.js";
import { type ResolvedYamuxOptions, resolveYamuxOptions } from "./options.js";
import { Outbox, type OutboxOwner } from "./outbox.js";
import { SendTurns } from "./send-turns.js";
import type { SessionOptions, YamuxSession } from "./session.js";
import { type StreamHost, YamuxStream } from "./stream.js";
import { StreamState } from "./stream-state.js";
import { StreamTable } from "./stream-table.js";
import { WindowGrowth } from "./window-growth.js";

/**
 * A session, and what its parts need of it: one object, with as little beside it as can be, since there may be ten
 * thousand that are idle. What only some sessions need is made when they do.
 */
export class LiveSession
  implements
    YamuxSession,
    ConnectionReceiver,
    FrameSink,
    OutboxOwner,
    StreamHost,
    OpenerHost,
    PingHost,
    WatchHost
{
  readonly #connection: ByteConnection;
  readonly #options: ResolvedYamuxOptions;
  readonly #onStream: ((stream: YamuxStream) => void) | undefined;
  readonly #reader = new YamuxFrameReader();
  readonly outbox: Outbox;
  readonly turns: SendTurns;
  readonly #pings: Pings;
  readonly #isClient: boolean;
  /** Made with the first stream of this side. */
  #opener: StreamOpener | undefined;
  /** Made with the first stream of either side, and again after a time without any. */
  #streams: StreamTable<YamuxStream> | undefined;

  /** Streams that were opened or accepted in this tick and have not said so yet. */
  #unannounced: YamuxStream[] = [];
  #backlog: YamuxStream[] | undefined;
  #acceptLine: WaitingLine<YamuxStream> | undefined;

  #sweeper: ReturnType<typeof setInterval> | undefined;
  #lateCredit: LateCredit | undefined;

  /** The stream of the data frame being read; undefined while its body is drained. */
  #bodyOf: YamuxStream | undefined;
  #bodyHasFin = false;

  #hasGoneAway = false;
  #peerHasGoneAway = false;
  #closing: Promise<void> | undefined;
  #onLastStreamEnded: (() => void) | undefined;
  #end: TransportError | undefined;
  #closed: Promise<TransportError> | undefined;
  #resolveClosed: ((error: TransportError) => void) | undefined;

  /** Made when a stream has read half of its window. */
  #growth: WindowGrowth | undefined;

  /** Counts bytes that arrive. */
  receivedBytes = 0;
  /** Counts looks at the streams that wait for the peer. */
  clock = 0;

  constructor(connection: ByteConnection, options: SessionOptions) {
    this.#connection = connection;
    this.#options = resolveYamuxOptions(options);
    this.#onStream = options.onStream;
    this.#isClient = options.role === "client";
    this.outbox = new Outbox(connection, this.#options, this);
    this.turns = new SendTurns(this.outbox);
    this.#pings = new Pings(this, this.#options.pingTimeoutMs);
    if (this.#options.keepAliveIntervalMs > 0) this.#pings.watch(this.#options.keepAliveIntervalMs);
    connection.attach(this);
  }

  get closed(): Promise<TransportError> {
    this.#closed ??=
      this.#end === undefined
        ? new Promise((resolve) => {
            this.#resolveClosed = resolve;
          })
        : Promise.resolve(this.#end);
    return this.#closed;
  }

  get streamCount(): number {
    return this.#streams?.size ?? 0;
  }

  get error(): TransportError | undefined {
    return this.#end;
  }

  get isAccepting(): boolean {
    return this.#end === undefined && !this.#peerHasGoneAway;
  }

  // ---- streams ----

  tryOpen(): YamuxStream | undefined {
    return this.#openerOfThisSide().tryOpen();
  }

  open(signal?: AbortSignal): Promise<YamuxStream> {
    return this.#openerOfThisSide().open(signal);
  }

  async accept(signal?: AbortSignal): Promise<YamuxStream> {
    signal?.throwIfAborted();
    const backlog = this.#backlog ?? [];
    for (let stream = backlog.shift(); stream !== undefined; stream = backlog.shift()) {
      if (!stream.isAlive) continue;
      this.#announceLater(stream);
      return stream;
    }
    if (this.#end !== undefined) throw this.#end;
    this.#acceptLine ??= new WaitingLine();
    return this.#acceptLine.wait(signal);
  }

  async ping(): Promise<number> {
    if (this.#end !== undefined) throw this.#end;
    const roundTripMs = await this.#pings.ping();
    if (roundTripMs !== undefined) return roundTripMs;
    throw this.#end ?? new TransportError("session", "ping-timeout", this.#pingTimeoutText());
  }

  // ---- end ----

  goAway(): void {
    if (this.#hasGoneAway || this.#end !== undefined) return;
    this.#hasGoneAway = true;
    this.outbox.frame(FrameType.GoAway, 0, 0, GoAwayCode.Normal);
  }

  close(timeoutMs = 0): Promise<void> {
    this.#closing ??= this.#closeInOrder(timeoutMs);
    return this.#closing;
  }

  abort(error: TransportError, closeCode: number = CloseCode.InternalError): void {
    this.#finish(error, closeCode, error.message);
  }

  async #closeInOrder(timeoutMs: number): Promise<void> {
    this.goAway();
    this.#opener?.rejectAll(closing());
    if (timeoutMs > 0 && this.#end === undefined && this.streamCount > 0) {
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

  onBytes(bytes: Uint8Array): void {
    if (this.#end !== undefined) return;
    this.receivedBytes += bytes.length;
    try {
      this.#reader.push(bytes, this);
    } catch (error) {
      this.#readFailed(error);
    }
  }

  onDrain(): void {
    this.outbox.onDrain();
    this.turns.goOn();
  }

  onEnd(end: TransportError): void {
    this.#ended(end);
  }

  onFrame(type: FrameType, flags: number, streamId: number, length: number): void {
    this.#bodyOf = undefined;
    // what follows a frame that ended the session is not looked at
    if (this.#end !== undefined) return;
    if (type === FrameType.Data) this.#onData(flags, streamId, length);
    else if (type === FrameType.WindowUpdate) this.#onWindowUpdate(flags, streamId, length);
    else if (type === FrameType.Ping) this.#onPing(flags, length);
    else this.#onGoAway(length);
  }

  onBody(bytes: Uint8Array, isLast: boolean): void {
    const stream = this.#bodyOf;
    if (stream === undefined) return;
    stream.receiveData(bytes);
    if (isLast && this.#bodyHasFin) stream.receiveFin();
  }

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
    const known = this.#streams?.get(streamId);
    if ((flags & Flag.Syn) === 0) return known;
    if (known !== undefined) {
      this.#violate(`yamux: stream ${streamId} was opened twice`);
      return undefined;
    }
    return (flags & Flag.Rst) === 0 ? this.#acceptNew(streamId) : undefined;
  }

  #acceptNew(streamId: number): YamuxStream | undefined {
    const isWanted = this.#onStream !== undefined || (this.#acceptLine?.length ?? 0) > 0;
    const hasRoom = this.streamCount < this.#options.maxStreams;
    const mayWait = (this.#backlog?.length ?? 0) < this.#options.acceptBacklog;
    if (this.#hasGoneAway || !hasRoom || !(isWanted || mayWait)) {
      this.outbox.frame(FrameType.WindowUpdate, Flag.Rst, streamId, 0);
      return undefined;
    }
    const stream = this.#add(streamId, StreamState.SynReceived);
    if (this.#onStream !== undefined) {
      this.#announceLater(stream);
      this.#onStream(stream);
    } else if (this.#acceptLine?.serve(stream)) {
      this.#announceLater(stream);
    } else {
      this.#backlog ??= [];
      this.#backlog.push(stream);
    }
    return stream;
  }

  #onPing(flags: number, value: number): void {
    if ((flags & Flag.Syn) !== 0) this.outbox.frame(FrameType.Ping, Flag.Ack, 0, value);
    else if ((flags & Flag.Ack) !== 0) this.#pings.onAnswer(value);
  }

  #onGoAway(code: number): void {
    if (code === GoAwayCode.Normal) {
      this.#peerHasGoneAway = true;
      this.#opener?.rejectAll(peerNotAccepting());
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

  get windowBytes(): number {
    return this.#options.windowBytes;
  }

  owesCredit(stream: YamuxStream): void {
    this.#lateCredit ??= new LateCredit();
    this.#lateCredit.add(stream);
  }

  get growth(): WindowGrowth {
    this.#growth ??= new WindowGrowth(this.#pings, this.#options.maxWindowBytes);
    return this.#growth;
  }

  acknowledged(stream: YamuxStream): void {
    this.#opener?.acknowledged(stream);
  }

  ended(stream: YamuxStream): void {
    if (!this.#streams?.delete(stream)) return;
    if (stream === this.#bodyOf) this.#bodyOf = undefined;
    this.#growth?.ended(stream.grownBytes);
    if (stream.isOurs) this.#opener?.ended(stream);
    if (this.#streams.size === 0) this.#onLastStreamEnded?.();
  }

  violated(message: string): void {
    this.#violate(message);
  }

  // ---- what the opener needs ----

  checkMayOpen(): void {
    if (this.#end !== undefined) throw this.#end;
    if (this.#closing !== undefined) throw closing();
    if (this.#peerHasGoneAway) throw peerNotAccepting();
  }

  create(id: number): YamuxStream {
    return this.#add(id, StreamState.Idle);
  }

  isIdUsed(id: number): boolean {
    return this.#streams?.has(id) ?? false;
  }

  #openerOfThisSide(): StreamOpener {
    this.#opener ??= new StreamOpener(this, this.#options, this.#isClient ? 1 : 2);
    return this.#opener;
  }

  #add(id: number, state: typeof StreamState.Idle | typeof StreamState.SynReceived): YamuxStream {
    const stream = new YamuxStream(this, id, state);
    this.#streams ??= new StreamTable();
    this.#streams.add(stream);
    this.#sweeper ??= setInterval(LiveSession.#sweepIsDue, this.#sweepMs(), this);
    if (state === StreamState.Idle) this.#announceLater(stream);
    return stream;
  }

  #announceLater(stream: YamuxStream): void {
    this.#unannounced.push(stream);
    this.outbox.schedule();
  }

  /** The connection may have taken everything at once, without a call of {@link onDrain} to come. */
  afterFlush(): void {
    this.turns.goOn();
  }

  /** What has waited for the end of the tick. */
  beforeFlush(): void {
    this.turns.run();
    if (this.#unannounced.length === 0) return;
    const streams = this.#unannounced;
    this.#unannounced = [];
    for (const stream of streams) stream.announce();
  }

  // ---- time ----

  // one function for all sessions
  static #sweepIsDue(session: LiveSession): void {
    session.#sweep();
  }

  onInterval(): void {
    this.outbox.releaseIfIdle();
  }

  onDead(): void {
    this.#fail("ping-timeout", CloseCode.GoingAway, this.#pingTimeoutText());
  }

  /** Streams that wait for the peer are looked at in these intervals, instead of having a timer each. */
  #sweepMs(): number {
    const shortest = Math.min(this.#options.streamOpenTimeoutMs, this.#options.streamCloseTimeoutMs);
    return Math.max(10, Math.min(10_000, shortest / 4));
  }

  #sweep(): void {
    this.clock++;
    if (this.#streams === undefined || this.#streams.size === 0) {
      clearInterval(this.#sweeper);
      this.#sweeper = undefined;
      this.#streams = undefined;
      return;
    }
    this.#streams.trim();
    const sweepMs = this.#sweepMs();
    const { streamOpenTimeoutMs, streamCloseTimeoutMs } = this.#options;
    for (const stream of this.#streams.all()) {
      if (stream.waitingSince < 0) continue;
      const waitedMs = (this.clock - stream.waitingSince) * sweepMs;
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
    this.outbox.flush();
    if (goAway !== undefined) {
      this.outbox.frame(FrameType.GoAway, 0, 0, goAway);
      this.outbox.flush();
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
    this.turns.clear();
    this.#lateCredit?.clear();
    this.#unannounced = [];
    this.#backlog = undefined;
    this.#opener?.rejectAll(error);
    this.#acceptLine?.rejectAll(error);
    for (const stream of this.#streams?.all() ?? []) stream.sessionEnded(error);
    this.#onLastStreamEnded?.();
    this.#resolveClosed?.(error);
  }
}

/**
 * Starts a yamux session on a connection.
 * @throws RangeError for an option out of its range.
 */
export function createYamuxSession(connection: ByteConnection, options: SessionOptions): YamuxSession {
  return new LiveSession(connection, options);
}
