import { next, PacketKind, PacketReader, type PacketSink, type Uint64 } from "../../codec/index.js";
import { type DuplexStream, type StreamReceiver, TransportError } from "../../transport/index.js";
import type { CallStream, CallTurn } from "./call-stream.js";

/** After a call is over for its caller, the server has so long to end it too. */
const endTimeoutMs = 5_000;

/** Who is told of a conversation. */
export interface ConversationOwner {
  /** It takes another call. */
  onFree(conversation: Conversation): void;
  /** Its stream is over. */
  onOver(conversation: Conversation): void;
}

/**
 * Calls on one stream, one after the other, each with the next dRPC stream id (W1.3): the caller's side. A call that
 * its caller gives up ends the whole stream, which tells the server in a way that every server understands.
 */
export class Conversation implements StreamReceiver, PacketSink {
  readonly #stream: DuplexStream;
  readonly #owner: ConversationOwner;
  readonly #reader: PacketReader;
  #rpcStream: Uint64 = 0;
  #turn: Turn | undefined;
  /** Takes the packets of the bytes that are being read. */
  #sink: PacketSink | undefined;
  #isOver = false;

  constructor(stream: DuplexStream, owner: ConversationOwner, maxMessageBytes: number) {
    this.#stream = stream;
    this.#owner = owner;
    this.#reader = new PacketReader(maxMessageBytes);
    stream.setReceiver(this);
  }

  get isFree(): boolean {
    return this.#turn === undefined && !this.#isOver;
  }

  /** Its call is over for the caller, and about to be for the server: it will be free in a moment. */
  get isEnding(): boolean {
    return this.#turn?.isEndedHere === true;
  }

  /** The stream for the next call; only while it is free. */
  take(): CallStream {
    this.#rpcStream = next(this.#rpcStream);
    this.#turn = new Turn(this.#stream, this.#rpcStream, this);
    return this.#turn;
  }

  /** Ends it in order; a call under way fails with the error. */
  close(error: TransportError): void {
    if (this.#isOver) return;
    const receiver = this.#turn?.endedBelow();
    this.#stream.closeWrite();
    this.#over();
    receiver?.onReset(error);
  }

  // ---- for the stream ----

  onData(bytes: Uint8Array): number {
    if (this.#isOver) return bytes.length;
    const receiver = this.#turn?.receiver;
    if (receiver !== undefined) return receiver.onData(bytes);
    try {
      // what comes behind a call's end still has to be whole frames
      return this.read(bytes, undefined);
    } catch {
      this.abandon();
      return bytes.length;
    }
  }

  get isBehind(): boolean {
    return this.#turn?.receiver?.isBehind ?? false;
  }

  get heldBytes(): number {
    return this.#turn?.receiver?.heldBytes ?? 0;
  }

  onPacket(kind: number, control: boolean, stream: Uint64, message: Uint64, body: Uint8Array): boolean {
    const isEnd =
      kind === PacketKind.CloseSend ||
      kind === PacketKind.Close ||
      kind === PacketKind.Error ||
      kind === PacketKind.Cancel;
    if (isEnd && stream === this.#rpcStream) this.#turn?.endedByServer();
    return this.#sink?.onPacket(kind, control, stream, message, body) ?? true;
  }

  onEnd(): void {
    const receiver = this.#turn?.endedBelow();
    this.#over();
    receiver?.onEnd();
  }

  onEndAhead(): void {
    this.#turn?.receiver?.onEndAhead();
  }

  onReset(error: TransportError): void {
    const receiver = this.#turn?.endedBelow();
    this.#over();
    receiver?.onReset(error);
  }

  onWritable(): void {
    this.#turn?.receiver?.onWritable();
  }

  // ---- for its turns ----

  /** How much is held of a packet that is not whole. */
  get cutBytes(): number {
    return this.#reader.heldBytes;
  }

  read(bytes: Uint8Array, sink: PacketSink | undefined): number {
    this.#sink = sink;
    try {
      return this.#reader.push(bytes, this);
    } finally {
      this.#sink = undefined;
    }
  }

  turnOver(turn: Turn): void {
    if (this.#isOver || this.#turn !== turn) return;
    this.#turn = undefined;
    this.#owner.onFree(this);
  }

  /** The call was given up, or the server does not keep to the protocol. */
  abandon(): void {
    if (this.#isOver) return;
    this.#turn?.endedBelow();
    this.#stream.reset();
    this.#over();
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#turn = undefined;
    this.#owner.onOver(this);
  }
}

/** One call's time on the stream. It is over when both its caller and the server have ended the call. */
class Turn implements CallStream {
  readonly turn: CallTurn;
  readonly #stream: DuplexStream;
  readonly #conversation: Conversation;
  #receiver: StreamReceiver | undefined;
  /** The caller has what it wanted. */
  isEndedHere = false;
  #isEndedByServer = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(stream: DuplexStream, rpcStream: Uint64, conversation: Conversation) {
    this.#stream = stream;
    this.#conversation = conversation;
    const reader = {
      push: (bytes: Uint8Array, sink: PacketSink) => conversation.read(bytes, sink),
      get heldBytes() {
        return conversation.cutBytes;
      },
    };
    this.turn = { rpcStream, reader };
  }

  /** Who takes what comes, until the call is over. */
  get receiver(): StreamReceiver | undefined {
    return this.isEndedHere ? undefined : this.#receiver;
  }

  get id(): number {
    return this.#stream.id;
  }

  get isAlive(): boolean {
    return !this.isEndedHere && this.#stream.isAlive;
  }

  get memory(): Uint8Array {
    return this.#stream.memory;
  }

  setReceiver(receiver: StreamReceiver): void {
    this.#receiver = receiver;
    this.#stream.resume();
  }

  resume(): void {
    if (!this.isEndedHere) this.#stream.resume();
  }

  begin(length: number): number {
    this.#checkMaySend();
    return this.#stream.begin(length);
  }

  send(parts: readonly Uint8Array[], areReused?: boolean): boolean {
    this.#checkMaySend();
    return this.#stream.send(parts, areReused);
  }

  /** The call is over for its caller; the stream stays for the next one. */
  closeWrite(): void {
    if (this.isEndedHere) return;
    this.isEndedHere = true;
    this.#overIfBothEnded();
  }

  finish(): void {
    this.closeWrite();
  }

  reset(): void {
    if (this.isEndedHere) return;
    this.isEndedHere = true;
    this.#conversation.abandon();
  }

  expectEnd(): void {
    if (this.#isEndedByServer || this.#timer !== undefined || !this.#stream.isAlive) return;
    this.#timer = setTimeout(() => this.#conversation.abandon(), endTimeoutMs);
  }

  expectMore(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  endedByServer(): void {
    if (this.#isEndedByServer) return;
    this.#isEndedByServer = true;
    this.expectMore();
    this.#overIfBothEnded();
  }

  /** The stream is over. @returns whom to tell, if there is somebody still. */
  endedBelow(): StreamReceiver | undefined {
    this.expectMore();
    const { receiver } = this;
    this.isEndedHere = true;
    return receiver;
  }

  #overIfBothEnded(): void {
    if (this.isEndedHere && this.#isEndedByServer) this.#conversation.turnOver(this);
  }

  #checkMaySend(): void {
    // where the stream is over too, it says so itself
    if (!this.isEndedHere || !this.#stream.isAlive) return;
    throw new TransportError("stream", "stream-ended", "the call is over; its stream is for the next one");
  }
}
