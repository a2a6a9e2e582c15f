import { Code, type ContextValues } from "@connectrpc/connect";
import { emptyBytes, encodeError, PacketKind, type Uint64 } from "../codec/index.js";
import type { DuplexStream } from "../transport/index.js";
import { errorPayload, RpcError, unimplementedText } from "./errors.js";
import { CallContext } from "./handler-context.js";
import { type Answer, invokeStreaming, invokeUnary, type Request } from "./invoke.js";
import { MessageQueue } from "./message-queue.js";
import { timeoutIn } from "./metadata.js";
import { PacketWriter } from "./packet-writer.js";
import type { ServedMethod } from "./router.js";

/** What a call on the server side needs of its conversation. */
export interface ServerCallHost {
  readonly stream: DuplexStream;
  readonly sessionValues: ContextValues | undefined;
  readonly maxMessageBytes: number;
  /** The handler takes requests again, after `onMessage` returned false. */
  onRoom(): void;
  /** The call is over, whatever the reason. */
  onCallOver(): void;
}

/**
 * One call on the server side: gives requests to its handler and sends its answers. A handler that throws fails
 * its own call only.
 */
export class ServerCall {
  readonly #host: ServerCallHost;
  readonly #served: ServedMethod;
  readonly #writer: PacketWriter;
  readonly #context: CallContext;
  readonly #deadline: ReturnType<typeof setTimeout> | undefined;
  /** Requests of a streaming method. */
  readonly #requests: MessageQueue<Request> | undefined;
  #hasRequest = false;
  #isOver = false;
  #onWritable: (() => void) | undefined;

  /** @param rpcStream the dRPC stream id, which the answers carry too. */
  constructor(
    host: ServerCallHost,
    rpcStream: Uint64,
    served: ServedMethod,
    metadata: ReadonlyMap<string, string> | undefined,
  ) {
    this.#host = host;
    this.#served = served;
    this.#writer = new PacketWriter(host.stream, rpcStream);
    const { method } = served.registered;
    const timeoutMs = timeoutIn(metadata);
    this.#context = new CallContext({ method, metadata, timeoutMs, sessionValues: host.sessionValues });
    if (timeoutMs !== undefined) {
      this.#deadline = setTimeout(() => this.#fail(this.#deadlineError(timeoutMs)), timeoutMs);
    }
    if (method.methodKind !== "unary") {
      this.#requests = new MessageQueue<Request>(
        (bytes) => served.side.decode(bytes),
        () => host.onRoom(),
        ignore,
      );
    }
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Starts the handler, unless that needs a request first. */
  begin(): void {
    const { spec } = this.#served.registered;
    if (spec === undefined) {
      this.#fail(new RpcError(unimplementedText, Code.Unimplemented, { layer: "rpc" }));
    } else if (spec.kind === "client_streaming" || spec.kind === "bidi_streaming") {
      void this.#runStreaming();
    }
  }

  /** @returns false when the conversation should stop reading until the handler has taken some. */
  onMessage(body: Uint8Array): boolean {
    const { spec } = this.#served.registered;
    if (this.#isOver || spec === undefined) return true;
    const isFirst = !this.#hasRequest;
    this.#hasRequest = true;
    if (spec.kind === "unary") {
      // one request is all that a unary call takes: more are ignored
      if (isFirst) this.#runUnary(body);
      return true;
    }
    if (spec.kind !== "server_streaming") return this.#requests?.push(body) ?? true;
    if (isFirst) {
      this.#requests?.push(body);
      this.#requests?.close();
      void this.#runStreaming();
    }
    return true;
  }

  /** The caller sends no more messages. */
  onCloseSend(): void {
    if (this.#isOver) return;
    const { kind } = this.#served.registered.spec ?? { kind: "unary" };
    const needsRequest = kind === "unary" || kind === "server_streaming";
    // S7.7: the words of the reference server
    if (needsRequest && !this.#hasRequest) this.#fail(new Error("EOF"));
    else this.#requests?.close();
  }

  /** Everything that `send` held back has left. */
  onWritable(): void {
    const resume = this.#onWritable;
    this.#onWritable = undefined;
    resume?.();
  }

  /** The caller does not want an answer any more, or the stream is gone: nothing is sent. */
  cancel(reason: string): void {
    if (this.#isOver) return;
    const error = new RpcError(reason, Code.Canceled, { layer: "rpc", rpc: this.#rpc });
    this.#over(error);
    this.#requests?.abort(error);
  }

  get #rpc(): string {
    return this.#served.side.path;
  }

  #runUnary(body: Uint8Array): void {
    const { registered, side } = this.#served;
    try {
      if (registered.spec?.kind !== "unary") return;
      const answer = invokeUnary(registered, registered.spec, side.decode(body), this.#context);
      if (!isThenable(answer)) this.#answerLast(answer);
      else {
        answer.then(
          (value) => this.#answerLast(value),
          (error: unknown) => this.#fail(error),
        );
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The only answer, and the end. */
  #answerLast(answer: Answer): void {
    if (this.#isOver) return;
    try {
      this.#writer.send(PacketKind.Message, this.#encode(answer), true);
      this.#over(undefined);
    } catch (error) {
      this.#fail(error);
    }
  }

  async #runStreaming(): Promise<void> {
    const { spec } = this.#served.registered;
    const requests = this.#requests;
    if (spec === undefined || spec.kind === "unary" || requests === undefined) return;
    let answers: AsyncIterator<Answer> | undefined;
    try {
      const iterable = await invokeStreaming(this.#served.registered, spec, requests, this.#context);
      answers = iterable[Symbol.asyncIterator]();
      for (;;) {
        const { done, value } = await answers.next();
        if (this.#isOver) break;
        if (done) {
          this.#writer.send(PacketKind.CloseSend, emptyBytes);
          this.#over(undefined);
          return;
        }
        if (!this.#writer.send(PacketKind.Message, this.#encode(value))) await this.#writable();
        if (this.#isOver) break;
      }
      // A call that ended before its handler: the handler's own clean-up runs, nobody waits for it.
      answers.return?.().catch(ignore);
    } catch (error) {
      this.#fail(error);
    }
  }

  #encode(answer: Answer): Uint8Array {
    return this.#served.side.encode(answer, this.#host.maxMessageBytes);
  }

  #writable(): Promise<void> {
    return new Promise((resolve) => {
      this.#onWritable = resolve;
    });
  }

  #deadlineError(timeoutMs: number): RpcError {
    return new RpcError(
      `${this.#rpc}: the caller's deadline of ${timeoutMs} ms has passed`,
      Code.DeadlineExceeded,
      {
        layer: "rpc",
        rpc: this.#rpc,
      },
    );
  }

  /** Ends the call with an Error packet. */
  #fail(error: unknown): void {
    if (this.#isOver) return;
    const { code, text } = errorPayload(error);
    try {
      this.#writer.send(PacketKind.Error, encodeError(code, text));
    } catch {
      // The stream has ended meanwhile; there is nobody to tell.
    }
    this.#over(error);
    this.#requests?.abort(error);
  }

  #over(reason: unknown): void {
    this.#isOver = true;
    clearTimeout(this.#deadline);
    this.#context.end(reason);
    this.onWritable();
    this.#host.onCallOver();
  }
}

function isThenable(answer: Promise<Answer> | Answer): answer is Promise<Answer> {
  return typeof (answer as Partial<Promise<Answer>>).then === "function";
}

function ignore(): void {}
