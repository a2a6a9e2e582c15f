import type { DescMessage, DescMethodUnary, MessageShape } from "@bufbuild/protobuf";
import { Code, type UnaryResponse } from "@connectrpc/connect";
import {
  decodeError,
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
import { canceledByServer, failureOf, RpcError, remoteError, transportFailure } from "../errors.js";
import type { MethodSide } from "../method.js";
import { CallAnswer } from "./call-answer.js";
import type { CallGuard } from "./call-guard.js";
import type { CallStream, CallTurn } from "./call-stream.js";

class UnaryAnswer<I extends DescMessage, O extends DescMessage>
  extends CallAnswer<DescMethodUnary<I, O>, MessageShape<O>>
  implements UnaryResponse<I, O>
{
  readonly stream = false;
}

/** What a unary call is made of. */
export interface UnaryCallInit<I extends DescMessage, O extends DescMessage> {
  method: DescMethodUnary<I, O>;
  side: MethodSide<I, O>;
  metadata: Uint8Array | undefined;
  /** The request. It is copied before the call returns. */
  body: Uint8Array;
  maxMessageBytes: number;
  guard: CallGuard | undefined;
}

/** Makes a unary call on a stream of its own, or in its turn on one that is shared. */
export function callUnary<I extends DescMessage, O extends DescMessage>(
  stream: CallStream,
  init: UnaryCallInit<I, O>,
): Promise<UnaryResponse<I, O>> {
  return new Promise((resolve, reject) => {
    const call = new UnaryCall(stream, init, resolve, reject);
    call.begin(init);
  });
}

class UnaryCall<I extends DescMessage, O extends DescMessage>
  extends CallSide<CallStream>
  implements StreamReceiver, PacketSink
{
  // not the request: it would be kept for as long as the answer takes
  readonly #method: DescMethodUnary<I, O>;
  readonly #side: MethodSide<I, O>;
  readonly #guard: CallGuard | undefined;
  readonly #resolve: (answer: UnaryResponse<I, O>) => void;
  readonly #reject: (error: unknown) => void;
  readonly #reader: CallTurn["reader"];
  #isOver = false;

  constructor(
    stream: CallStream,
    init: UnaryCallInit<I, O>,
    resolve: (answer: UnaryResponse<I, O>) => void,
    reject: (error: unknown) => void,
  ) {
    const { turn } = stream;
    super(stream, turn?.rpcStream ?? 1);
    this.#method = init.method;
    this.#side = init.side;
    this.#guard = init.guard;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#reader = turn?.reader ?? new PacketReader(init.maxMessageBytes);
  }

  begin({ metadata, body }: UnaryCallInit<I, O>): void {
    this.#guard?.watch((error) => {
      this.stream.reset();
      this.#fail(error);
    });
    try {
      this.stream.setReceiver(this);
      this.sendCall(metadata, this.#side.nameBytes, body);
    } catch (error) {
      this.#fail(failureOf(error, this.#rpc, this.stream.id));
    }
  }

  get #rpc(): string {
    return this.#side.path;
  }

  onData(bytes: Uint8Array): number {
    // what follows the answer, such as the CloseSend, is not needed
    if (this.#isOver) return bytes.length;
    try {
      this.#reader.push(bytes, this);
    } catch (error) {
      this.stream.reset();
      this.#fail(failureOf(error, this.#rpc, this.stream.id));
    }
    return bytes.length;
  }

  get heldBytes(): number {
    return this.#reader.heldBytes;
  }

  onPacket(kind: number, control: boolean, stream: Uint64, _message: Uint64, body: Uint8Array): boolean {
    if (this.#isOver || stream !== this.rpcStream) return true;
    switch (kind as Kind) {
      case PacketKind.Message:
        this.#answer(body);
        break;
      case PacketKind.Error:
        this.#endStream();
        this.#fail(remoteError(decodeError(body), this.#rpc, this.stream.id));
        break;
      case PacketKind.Cancel:
        this.#endStream();
        this.#fail(canceledByServer(this.#rpc));
        break;
      case PacketKind.CloseSend:
      case PacketKind.Close:
        this.#endStream();
        this.#fail(this.#failure(`the server ended the call without an answer (${packetKindName(kind)})`));
        break;
      default:
        if (control && kind !== PacketKind.Invoke) break;
        this.stream.reset();
        this.#fail(this.#failure(`the server sent a packet of ${packetKindName(kind)}`));
    }
    return true;
  }

  onEnd(): void {
    if (this.#isOver) return;
    this.stream.finish();
    this.#fail(this.#failure("the server ended the stream without an answer", Code.Unavailable));
  }

  onReset(error: TransportError): void {
    if (this.#isOver) return;
    this.#fail(transportFailure(error, this.#rpc));
  }

  onEndAhead(): void {}

  onWritable(): void {}

  #answer(body: Uint8Array): void {
    // The caller ends the stream, after the answer: W7.2, W7.2b.
    this.#endStream();
    let message: MessageShape<O>;
    try {
      message = this.#side.decode(body);
    } catch (error) {
      const text = errorText(error);
      this.#fail(this.#failure(`cannot decode ${this.#side.receivedType}: ${text}`, Code.Internal, error));
      return;
    }
    this.#isOver = true;
    this.#guard?.release();
    this.#resolve(new UnaryAnswer(this.#method, message));
  }

  /** The server still reads, so what is held back may leave; not for ever. */
  #endStream(): void {
    this.stream.closeWrite();
    this.stream.expectEnd();
  }

  #failure(text: string, code = Code.Internal, cause?: unknown): RpcError {
    const rpc = this.#rpc;
    return new RpcError(`${rpc}: ${text}`, code, { layer: "drpc", rpc, streamId: this.stream.id, cause });
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#guard?.release();
    this.#reject(error);
  }
}
