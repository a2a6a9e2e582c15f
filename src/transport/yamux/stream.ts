import { joined, lengthOf } from "../../codec/byte-pieces.js";
import { Flag, FrameType, initialWindowBytes } from "../../codec/index.js";
import type { DuplexStream, StreamReceiver } from "../duplex-stream.js";
import type { TransportError } from "../errors.js";
import { endedByThisSide, notEndedInTime, refusedByPeer, resetByPeer, resetByThisSide } from "./failures.js";
import type { Outbox } from "./outbox.js";
import { ReadPace } from "./read-pace.js";
import { ReceiveQueue } from "./receive-queue.js";
import { SendQueue } from "./send-queue.js";
import type { SendingStream, SendTurns } from "./send-turns.js";
import { StreamMarks } from "./stream-marks.js";
import {
  ignored,
  isEnded,
  mayReceive,
  maySend,
  nextState,
  StreamEvent,
  StreamState,
  violation,
} from "./stream-state.js";
import type { WindowGrowth } from "./window-growth.js";

/** What a stream needs of its session. */
export interface StreamHost {
  /** Receive window of a stream when it begins. */
  readonly windowBytes: number;
  /** Counts up slowly; a stream notes when it began to wait for the peer. */
  readonly clock: number;
  readonly outbox: Outbox;
  readonly turns: SendTurns;
  /** The stream has read something, and not enough to say so: {@link YamuxStream.giveCredit} is called in a moment. */
  owesCredit(stream: YamuxStream): void;
  /** Decides on larger windows; made for the first stream that has read half of one. */
  readonly growth: WindowGrowth;
  acknowledged(stream: YamuxStream): void;
  ended(stream: YamuxStream): void;
  /** The peer broke the protocol: the session ends. */
  violated(message: string): void;
}

/** Windows of a stream in bytes. */
export interface StreamFlow {
  /** What the peer lets this side send. */
  sendWindow: number;
  /** What this side lets the peer send. */
  receiveWindow: number;
  /** What was read and not given back to the peer. */
  credit: number;
  /** What has come and was not read. */
  unread: number;
  /** How large the receive window is: as much as the other three together, once it has been announced. */
  window: number;
}

/**
 * Window is given back at once when half of it has been read. What is at least this part of it follows in a moment: a
 * peer that has used up its window waits for it, and on a long way everything that is late is window that it lacks.
 */
const creditParts = 32;

/**
 * One stream of a session: bytes in order in both directions, each ended by itself, with a window of its own. With
 * promises it can be read and written by a `PulledStream`.
 */
export class YamuxStream extends StreamMarks implements DuplexStream, SendingStream {
  readonly id: number;
  readonly #host: StreamHost;
  #state: StreamState;
  #receiver: StreamReceiver | undefined;

  /** Bytes that the peer lets us send. */
  #sendWindow = initialWindowBytes;
  /** Bytes that the peer may still send. */
  #receiveWindow = initialWindowBytes;
  /** Bytes that were read and not yet given back to the peer. */
  #credit = 0;
  /** Once half a window has been read, which few calls come to. */
  #pace: ReadPace | undefined;

  #received: ReceiveQueue | undefined;
  #queue: SendQueue | undefined;

  #error: TransportError | undefined;

  /** @internal When it began to wait for the peer's ACK or FIN; -1 when it does not wait. */
  waitingSince: number;
  /** @internal Streams come from a session. */
  constructor(host: StreamHost, id: number, state: typeof StreamState.Idle | typeof StreamState.SynReceived) {
    super();
    this.#host = host;
    this.id = id;
    this.#state = state;
    this.waitingSince = state === StreamState.Idle ? host.clock : -1;
  }

  get state(): StreamState {
    return this.#state;
  }

  get isAlive(): boolean {
    return !isEnded(this.#state);
  }

  /** Bytes that wait for the peer's window or for the connection. */
  get queuedBytes(): number {
    return this.#queue?.length ?? 0;
  }

  /** How the windows stand, for whoever watches. */
  get flow(): StreamFlow {
    return {
      sendWindow: this.#sendWindow,
      receiveWindow: this.#receiveWindow,
      credit: this.#credit,
      unread: this.#received?.length ?? 0,
      window: this.#windowBytes,
    };
  }

  /** @internal By how much its window has grown. */
  get grownBytes(): number {
    return this.#windowBytes - this.#host.windowBytes;
  }

  /** Why the stream ended, unless it ended in order. */
  get error(): TransportError | undefined {
    return this.#error;
  }

  setReceiver(receiver: StreamReceiver): void {
    this.#receiver = receiver;
    this.resume();
    if (this.#error !== undefined) receiver.onReset(this.#error);
  }

  resume(): void {
    const receiver = this.#receiver;
    if (receiver === undefined || this.isDelivering) return;
    this.#giveBack(0);
    this.isDelivering = true;
    try {
      for (let bytes = this.#received?.peek(); bytes !== undefined; bytes = this.#received?.peek()) {
        const taken = receiver.onData(bytes);
        this.#received?.skip(taken);
        this.#giveBack(taken);
        if (taken < bytes.length) return;
      }
    } finally {
      this.isDelivering = false;
    }
    this.#deliverEnd();
  }

  begin(length: number): number {
    this.#checkMaySend();
    return this.#begin(length);
  }

  get memory(): Uint8Array {
    return this.#host.outbox.memory;
  }

  send(parts: readonly Uint8Array[], areReused = false): boolean {
    this.#checkMaySend();
    let at = this.#begin(lengthOf(parts));
    if (at >= 0) {
      const memory = this.#host.outbox.memory;
      for (const part of parts) {
        memory.set(part, at);
        at += part.length;
      }
      return true;
    }
    this.#queue ??= new SendQueue();
    if (this.#queue.length > 0) {
      this.#queue.push(areReused ? [joined(parts)] : parts);
    } else {
      this.#queue.push(parts);
      this.#host.turns.sendAtOnce(this);
      if (this.#queue.length === 0) return true;
      if (areReused) this.#queue.copy();
    }
    this.wantsWritable = true;
    this.#host.turns.add(this);
    return false;
  }

  #begin(length: number): number {
    if (this.queuedBytes > 0 || length > this.#sendWindow) return -1;
    const flags = this.#flagsForData();
    const at = this.#host.turns.begin(flags, this.id, length);
    if (at < 0) return -1;
    this.#sendWindow -= length;
    this.#opened(flags);
    return at;
  }

  /** FIN. The peer may go on sending. */
  closeWrite(): void {
    if (!maySend(this.#state)) return;
    if (this.queuedBytes > 0) {
      this.finAfterQueue = true;
      return;
    }
    this.#sendFin();
  }

  finish(): void {
    if (this.queuedBytes > 0) this.reset();
    else this.closeWrite();
  }

  /** RST. */
  reset(): void {
    const before = this.#state;
    if (!this.#move(StreamEvent.SendRst)) return;
    // With ACK it says "accepted, and then reset"; alone, before an ACK, it would be "refused".
    const flags = before === StreamState.SynReceived ? Flag.Ack | Flag.Rst : Flag.Rst;
    if (before !== StreamState.Idle) this.#host.outbox.frame(FrameType.WindowUpdate, flags, this.id, 0);
    this.#end(resetByThisSide(this.id));
  }

  expectEnd(): void {
    this.waitingSince = this.#host.clock;
  }

  expectMore(): void {
    if (this.#state === StreamState.Open || this.#state === StreamState.SynReceived) this.waitingSince = -1;
  }

  // ---- for the session ----

  /** @internal Says what has not been said by the end of the tick: SYN or ACK. */
  announce(): void {
    const flags = this.#openingFlags();
    if (flags === 0) return;
    this.#host.outbox.frame(FrameType.WindowUpdate, flags, this.id, this.#widen());
    this.#opened(flags);
  }

  /** @internal For the turns. */
  sendQueued(most: number, frame: (flags: number, length: number) => Uint8Array): boolean {
    if (isEnded(this.#state)) return false;
    const length = Math.min(this.queuedBytes, this.#sendWindow, most);
    if (length > 0) {
      const flags = this.#flagsForData();
      this.#queue?.take(frame(flags, length));
      this.#sendWindow -= length;
      this.#opened(flags);
    }
    if (this.queuedBytes > 0) return this.#sendWindow > 0;
    if (this.finAfterQueue) this.#sendFin();
    this.#becameWritable();
    return false;
  }

  /** @internal The peer's flags of a frame, before its body. */
  receiveFlags(flags: number): void {
    if ((flags & Flag.Ack) !== 0) this.#move(StreamEvent.ReceiveAck);
    if (this.isUnacknowledged) this.#host.acknowledged(this);
    if ((flags & Flag.Rst) !== 0) this.#receiveRst();
  }

  /** @internal FIN, after the body of its frame. */
  receiveFin(): void {
    if (!this.#move(StreamEvent.ReceiveFin)) return;
    this.hasEnd = true;
    if ((this.#received?.length ?? 0) === 0) this.#deliverEnd();
    else this.#receiver?.onEndAhead();
  }

  /** @internal The peer gives window. */
  receiveCredit(bytes: number): void {
    // more than 32 bits in sum is tolerated by the reference; a number is exact far beyond it
    this.#sendWindow = Math.min(this.#sendWindow + bytes, Number.MAX_SAFE_INTEGER);
    if (this.queuedBytes > 0) this.#host.turns.add(this);
  }

  /** @internal Gives back window that was not worth a frame at once. */
  giveCredit(): void {
    // a peer that has been told of the end may have forgotten the stream, and would complain
    const due = this.#dueCredit;
    if (maySend(this.#state) && due * creditParts >= this.#windowBytes) this.#sendCredit(due);
  }

  /** @internal A data frame begins. @returns false when the peer sends more than its window allows. */
  reserve(length: number): boolean {
    if (length > this.#receiveWindow) return false;
    this.#receiveWindow -= length;
    return true;
  }

  /** @internal A part of a data frame's body. */
  receiveData(bytes: Uint8Array): void {
    if (!mayReceive(this.#state) || this.hasEnd) {
      this.#giveBack(bytes.length);
      return;
    }
    const receiver = this.#receiver;
    if (receiver === undefined || this.isDelivering || (this.#received?.length ?? 0) > 0) {
      this.#received ??= new ReceiveQueue();
      this.#received.push(bytes);
      return;
    }
    this.isDelivering = true;
    let taken = 0;
    try {
      taken = receiver.onData(bytes);
    } finally {
      this.isDelivering = false;
    }
    this.#giveBack(taken);
    if (taken < bytes.length && !isEnded(this.#state)) {
      this.#received ??= new ReceiveQueue();
      this.#received.push(bytes.subarray(taken));
    }
  }

  /** @internal The session has ended. */
  sessionEnded(error: TransportError): void {
    if (isEnded(this.#state)) return;
    this.#state = StreamState.Reset;
    this.#end(error);
    this.#receiver?.onReset(error);
  }

  /** @internal The peer has not ended the stream in time. */
  expire(afterMs: number): void {
    if (!this.#move(StreamEvent.SendRst)) return;
    this.#host.outbox.frame(FrameType.WindowUpdate, Flag.Rst, this.id, 0);
    const error = notEndedInTime(this.id, afterMs);
    this.#end(error);
    this.#receiver?.onReset(error);
  }

  // ---- inside ----

  /** @returns true when the event changed the state. */
  #move(event: StreamEvent): boolean {
    const next = nextState(this.#state, event);
    if (next === ignored) return false;
    if (next === violation) {
      this.#host.violated(`yamux stream ${this.id}: a second FIN came; a side ends its direction once`);
      return false;
    }
    this.#state = next;
    if (next === StreamState.Closed) this.#host.ended(this);
    else if (next === StreamState.LocalClosed) this.waitingSince = this.#host.clock;
    else if (next !== StreamState.SynSent) this.waitingSince = -1;
    return true;
  }

  #checkMaySend(): void {
    if (maySend(this.#state) && !this.finAfterQueue) return;
    throw this.#error ?? endedByThisSide(this.id);
  }

  /** The flags that the next frame of this side must carry. */
  #openingFlags(): number {
    if (this.#state === StreamState.Idle) return Flag.Syn;
    if (this.#state === StreamState.SynReceived) return Flag.Ack;
    return 0;
  }

  /** The same for a data frame, which has no room to announce a wider window: that goes ahead. */
  #flagsForData(): number {
    if (this.#host.windowBytes > initialWindowBytes) this.announce();
    return this.#openingFlags();
  }

  /** A frame with opening flags has been written. */
  #opened(flags: number): void {
    if (flags === Flag.Syn) this.#move(StreamEvent.SendSyn);
    else if (flags === Flag.Ack) this.#move(StreamEvent.SendAck);
  }

  /** Bytes by which a window larger than usual is announced; the window is that large from then on. */
  #widen(): number {
    const more = this.#host.windowBytes - initialWindowBytes;
    this.#receiveWindow += more;
    return more;
  }

  #sendFin(): void {
    this.finAfterQueue = false;
    const flags = this.#openingFlags();
    const more = flags === 0 ? 0 : this.#widen();
    // The frame goes first: when this was the last direction, the session forgets the stream.
    this.#host.outbox.frame(FrameType.WindowUpdate, Flag.Fin | flags, this.id, more);
    this.#move(StreamEvent.SendFin);
  }

  #receiveRst(): void {
    const wasRefused = this.#state === StreamState.SynSent;
    if (!this.#move(StreamEvent.ReceiveRst)) return;
    const error = wasRefused ? refusedByPeer(this.id) : resetByPeer(this.id);
    this.#end(error);
    this.#receiver?.onReset(error);
  }

  /** The state says that it is over, and not in order. */
  #end(error: TransportError): void {
    this.#error = error;
    this.#queue?.clear();
    this.finAfterQueue = false;
    this.#received?.clear();
    this.waitingSince = -1;
    this.#host.ended(this);
  }

  get #windowBytes(): number {
    return this.#pace?.windowBytes ?? this.#host.windowBytes;
  }

  #giveBack(bytes: number): void {
    this.#credit += bytes;
    const windowBytes = this.#windowBytes;
    // few calls come to so much
    if (this.#credit * creditParts < windowBytes) return;
    const due = this.#dueCredit;
    if (due * 2 >= windowBytes) this.#sendCredit(due);
    else if (this.#pace !== undefined && !this.isInCreditList && due * creditParts >= windowBytes) {
      this.#host.owesCredit(this);
    }
  }

  /**
   * What was read, without what a receiver holds whose application is behind: unless that is so much that the peer needs
   * more window to go on.
   */
  get #dueCredit(): number {
    const held = this.#receiver?.isBehind ? (this.#receiver.heldBytes ?? 0) : 0;
    return held * 2 < this.#windowBytes ? this.#credit - held : this.#credit;
  }

  #sendCredit(due: number): void {
    if (this.hasEnd || isEnded(this.#state)) return;
    const given = due + this.#growthAfter(due);
    // the first frame of an accepted stream announces a wider window too
    const flags = this.#openingFlags();
    const more = flags === 0 ? 0 : this.#widen();
    this.#host.outbox.frame(FrameType.WindowUpdate, flags, this.id, given + more);
    this.#receiveWindow += given;
    this.#credit -= due;
    this.#opened(flags);
  }

  /** By how much the window is to be larger. Where much waits to be read, it is not the peer that waits. */
  #growthAfter(bytes: number): number {
    if (this.#pace === undefined) {
      this.#pace = new ReadPace(this.#host.windowBytes, this.#host.growth);
      return 0;
    }
    const half = this.#pace.windowBytes / 2;
    const isBehind = (this.#received?.length ?? 0) >= half;
    const isInLarge = (this.#receiver?.heldBytes ?? 0) >= half;
    return this.#pace.growthAfter(bytes, isBehind, isInLarge);
  }

  #deliverEnd(): void {
    if (!this.hasEnd || this.isEndDelivered || this.isDelivering) return;
    if (this.#receiver === undefined) return;
    this.isEndDelivered = true;
    this.#receiver.onEnd();
  }

  #becameWritable(): void {
    if (!this.wantsWritable) return;
    this.wantsWritable = false;
    this.#receiver?.onWritable();
  }
}
