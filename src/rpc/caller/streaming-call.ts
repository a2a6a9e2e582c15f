import type { DescMessage, DescMethodStreaming, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { Code, type StreamResponse } from "@connectrpc/connect";
import {
  decodeError,
  emptyBytes,
  type PacketKind as Kind,
  PacketKind,
  PacketReader,
  type PacketSink,
  packetKindName,
  type Uint64,
} from "../../codec/index.js";
import type { StreamReceiver, TransportError } from "../../transport/index.js";
import { CallSide } from "../call-side.js";
import { errorText } from "../error-text.js";
import { canceledByServer, failureOf, givenUp, RpcError, remoteError, transportFailure } from "../errors.js";
import { MessageQueue, type MessageQueueOwner } from "../message-queue.js";
import type { MethodSide } from "../method.js";
import { CallAnswer } from "./call-answer.js";
import type { CallGuard } from "./call-guard.js";
import type { CallStream, CallTurn } from "./call-stream.js";

/** What a streaming call is made of. */
export interface StreamingCallInit<I extends DescMessage, O extends DescMessage> {
  method: DescMethodStreaming<I, O>;
  side: MethodSide<I, O>;
  metadata: Uint8Array | undefined;
  input: AsyncIterable<MessageInitShape<I>>;
  maxMessageBytes: number;
  guard: CallGuard | undefined;
}

/** Makes a call with several messages in a direction, on a stream of its own, or in its turn on one that is shared. */
export async function callStreaming<I extends DescMessage, O extends DescMessage>(
  stream: CallStream,
  init: StreamingCallInit<I, O>,
): Promise<StreamResponse<I, O>> {
  const call = new StreamingCall(stream, init);
  await call.begin(init);
  return new StreamAnswer(init.method, call.answers);
}

class StreamAnswer<I extends DescMessage, O extends DescMessage>
  extends CallAnswer<DescMethodStreaming<I, O>, AsyncIterable<MessageShape<O>>>
  implements StreamResponse<I, O>
{
  readonly stream = true;
}

class StreamingCall<I extends DescMessage, O extends DescMessage>
  extends CallSide<CallStream>
  implements StreamReceiver, PacketSink, MessageQueueOwner<MessageShape<O>>
{
  readonly answers: MessageQueue<MessageShape<O>>;

  // not the request: it would be kept for as long as answers come
  readonly #side: MethodSide<I, O>;
  readonly #maxMessageBytes: number;
  readonly #guard: CallGuard | undefined;
  readonly #reader: CallTurn["reader"];
  #onWritable: (() => void) | undefined;
  /** True while the application has answers enough: the stream keeps the rest. */
  #isPaused = false;
  #isOver = false;

  constructor(stream: CallStream, init: StreamingCallInit<I, O>) {
    const { turn } = stream;
    super(stream, turn?.rpcStream ?? 1);
    this.#side = init.side;
    this.#maxMessageBytes = init.maxMessageBytes;
    this.#guard = init.guard;
    this.#reader = turn?.reader ?? new PacketReader(init.maxMessageBytes);
    this.answers = new MessageQueue(this);
  }

  /** Sends what begins the call; for a method with one request, all of it. */
  async begin({ method, side, metadata, guard, input }: StreamingCallInit<I, O>): Promise<void> {
    const requests = input[Symbol.asyncIterator]();
    guard?.watch((error) => this.#cancel(error));
    try {
      if (method.methodKind === "server_streaming") {
        const request = await this.#onlyRequest(requests);
        if (this.#isOver) return;
        const body = this.#encode(request);
        this.stream.setReceiver(this);
        this.sendCall(metadata, side.nameBytes, body);
        return;
      }
      this.stream.setReceiver(this);
      this.sendCall(metadata, side.nameBytes, undefined);
    } catch (error) {
      this.#cancel(failureOf(error, this.#side.path, this.stream.id));
      return;
    }
    void this.#sendRequests(requests);
  }

  onData(bytes: Uint8Array): number {
    if (this.#isOver) return bytes.length;
    if (this.#isPaused) return 0;
    try {
      return this.#reader.push(bytes, this);
    } catch (error) {
      this.#cancel(failureOf(error, this.#side.path, this.stream.id));
      return bytes.length;
    }
  }

  get isBehind(): boolean {
    return !this.answers.isAwaited;
  }

  get heldBytes(): number {
    return this.#reader.heldBytes + (this.#isPaused ? this.answers.heldBytes : 0);
  }

  onPacket(kind: number, control: boolean, stream: Uint64, _message: Uint64, body: Uint8Array): boolean {
    if (this.#isOver || stream !== this.rpcStream) return true;
    switch (kind as Kind) {
      case PacketKind.Message:
        this.#isPaused = !this.answers.push(body);
        return !this.#isPaused;
      case PacketKind.CloseSend:
      case PacketKind.Close:
        this.#end(undefined);
        break;
      case PacketKind.Error:
        this.#end(remoteError(decodeError(body), this.#side.path, this.stream.id));
        break;
      case PacketKind.Cancel:
        this.#end(canceledByServer(this.#side.path));
        break;
      default:
        if (control && kind !== PacketKind.Invoke) break;
        this.#cancel(this.#failure(`the server sent a packet of ${packetKindName(kind)}`, Code.Internal));
    }
    return true;
  }

  onEnd(): void {
    if (this.#isOver) return;
    // it reads no more either
    this.stream.finish();
    this.#end(this.#failure("the server ended the stream in the middle of the call", Code.Unavailable));
  }

  onEndAhead(): void {}

  onReset(error: TransportError): void {
    if (this.#isOver) return;
    this.#end(transportFailure(error, this.#side.path));
  }

  onWritable(): void {
    const resume = this.#onWritable;
    this.#onWritable = undefined;
    resume?.();
  }

  // ---- for the queue of answers ----

  decode(bytes: Uint8Array): MessageShape<O> {
    try {
      return this.#side.decode(bytes);
    } catch (error) {
      const text = errorText(error);
      throw this.#failure(`cannot decode ${this.#side.receivedType}: ${text}`, Code.Internal, error);
    }
  }

  onRoom(): void {
    this.#isPaused = false;
    this.stream.resume();
  }

  onReturn(): void {
    this.#cancel(givenUp(this.#side.path, "canceled"));
  }

  // ---- inside ----

  async #onlyRequest(requests: AsyncIterator<MessageInitShape<I>>): Promise<MessageInitShape<I>> {
    const { done, value } = await requests.next();
    if (done) throw this.#failure("a server-streaming call needs one request", Code.InvalidArgument);
    void requests.return?.();
    return value;
  }

  async #sendRequests(requests: AsyncIterator<MessageInitShape<I>>): Promise<void> {
    try {
      for (;;) {
        const { done, value } = await requests.next();
        if (this.#isOver) break;
        if (done) {
          this.sendPacket(PacketKind.CloseSend, emptyBytes);
          return;
        }
        if (!this.sendPacket(PacketKind.Message, this.#encode(value))) await this.#writable();
        if (this.#isOver) break;
      }
      void requests.return?.();
    } catch (error) {
      this.#cancel(failureOf(error, this.#side.path, this.stream.id));
    }
  }

  #writable(): Promise<void> {
    return new Promise((resolve) => {
      this.#onWritable = resolve;
    });
  }

  #encode(message: MessageInitShape<I>): Uint8Array {
    return this.#side.encode(message, this.#maxMessageBytes);
  }

  #failure(text: string, code: Code, cause?: unknown): RpcError {
    const rpc = this.#side.path;
    return new RpcError(`${rpc}: ${text}`, code, { layer: "drpc", rpc, streamId: this.stream.id, cause });
  }

  /** This side gives the call up: the stream is reset, the server's handler is cancelled. */
  #cancel(error: unknown): void {
    if (this.#isOver) return;
    this.#over();
    this.stream.reset();
    this.answers.abort(error);
  }

  /** The server has ended the call, or the stream is gone. */
  #end(error: unknown): void {
    if (this.#isOver) return;
    this.#over();
    // the server still reads, so what is held back may leave; not for ever
    this.stream.closeWrite();
    if (this.stream.isAlive) this.stream.expectEnd();
    if (error === undefined) this.answers.close();
    else this.answers.fail(error);
  }

  #over(): void {
    this.#isOver = true;
    this.#guard?.release();
    this.onWritable();
  }
}
