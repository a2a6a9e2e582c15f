import { Code, type ContextValues } from "@connectrpc/connect";
import { encodeError, PacketKind, type Uint64 } from "../../codec/index.js";
import type { DuplexStream } from "../../transport/index.js";
import { CallSide } from "../call-side.js";
import { errorPayload, RpcError, unimplementedText } from "../errors.js";
import { timeoutIn } from "../metadata.js";
import { CallContext } from "./handler-context.js";
import type { Answer } from "./invoke.js";
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
export abstract class ServerCall extends CallSide {
  protected readonly host: ServerCallHost;
  protected readonly served: ServedMethod;
  protected readonly context: CallContext;
  readonly #deadline: ReturnType<typeof setTimeout> | undefined;
  /** The caller gets nothing more. */
  isOver = false;

  /** @param rpcStream the dRPC stream id, which the answers carry too. */
  constructor(
    host: ServerCallHost,
    rpcStream: Uint64,
    served: ServedMethod,
    metadata: ReadonlyMap<string, string> | undefined,
  ) {
    super(host.stream, rpcStream);
    this.host = host;
    this.served = served;
    const { method } = served.registered;
    const timeoutMs = timeoutIn(metadata);
    this.context = new CallContext({ method, metadata, timeoutMs, sessionValues: host.sessionValues });
    if (timeoutMs !== undefined) {
      this.#deadline = setTimeout(() => this.fail(this.#deadlineError(timeoutMs)), timeoutMs);
    }
  }

  /** Starts the handler, unless that needs a request first. */
  begin(): void {
    if (this.served.registered.spec === undefined) {
      this.fail(new RpcError(unimplementedText, Code.Unimplemented, { layer: "rpc" }));
    }
  }

  /** @returns false when the conversation should stop reading until the handler has taken some. */
  abstract onMessage(body: Uint8Array): boolean;

  /** True while the handler does not wait for more. */
  get isBehind(): boolean {
    return false;
  }

  /** How much waits for the handler. */
  get heldBytes(): number {
    return 0;
  }

  /** The caller sends no more messages. */
  abstract onCloseSend(): void;

  /** Everything that was held back has left. */
  onWritable(): void {}

  /** The caller does not want an answer any more, or the stream is gone: nothing is sent. */
  cancel(reason: string): void {
    if (this.isOver) return;
    const rpc = this.served.side.path;
    this.over(new RpcError(reason, Code.Canceled, { layer: "rpc", rpc }));
  }

  protected encode(answer: Answer): Uint8Array {
    return this.served.side.encode(answer, this.host.maxMessageBytes);
  }

  /** Ends the call with an Error packet. */
  protected fail(error: unknown): void {
    if (this.isOver) return;
    const { code, text } = errorPayload(error);
    try {
      this.sendPacket(PacketKind.Error, encodeError(code, text));
    } catch {
      // The stream has ended meanwhile; there is nobody to tell.
    }
    this.over(error);
  }

  /** S7.7: no request has come, and none will; in the words of the reference server. */
  protected failWithoutRequest(): void {
    this.fail(new Error("EOF"));
  }

  /** @param reason undefined when the handler has done all it had to. */
  protected over(reason: unknown): void {
    this.isOver = true;
    clearTimeout(this.#deadline);
    this.context.end(reason);
    this.host.onCallOver();
  }

  #deadlineError(timeoutMs: number): RpcError {
    const rpc = this.served.side.path;
    const text = `${rpc}: the caller's deadline of ${timeoutMs} ms has passed`;
    return new RpcError(text, Code.DeadlineExceeded, { layer: "rpc", rpc });
  }
}
