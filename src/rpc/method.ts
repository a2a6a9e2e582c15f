import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { encodeUtf8, type MessageCodecs } from "../codec/index.js";
import { errorText } from "./error-text.js";
import { RpcError } from "./errors.js";

/** The name of a method on the wire, made once. */
export interface MethodWire {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly nameBytes: Uint8Array;
}

const wires = new WeakMap<DescMethod, MethodWire>();

/** The name on the wire and what is made of it. */
export function methodWire(method: DescMethod): MethodWire {
  let wire = wires.get(method);
  if (wire === undefined) {
    const path = `/${method.parent.typeName}/${method.name}`;
    wire = { path, nameBytes: encodeUtf8(path) };
    wires.set(method, wire);
  }
  return wire;
}

/** A method as one side of its calls sees it: its name, and how the messages of either direction become bytes. */
export class MethodSide<Sent extends DescMessage = DescMessage, Received extends DescMessage = DescMessage> {
  readonly path: string;
  readonly nameBytes: Uint8Array;
  readonly #sent: Sent;
  readonly #received: Received;
  readonly #encode: ((message: MessageInitShape<Sent>) => Uint8Array) | undefined;
  readonly #decode: ((bytes: Uint8Array) => unknown) | undefined;

  /** @param codecs are asked first; protobuf-es writes and reads what they do not know. */
  constructor(method: DescMethod, sent: Sent, received: Received, codecs: MessageCodecs | undefined) {
    const { path, nameBytes } = methodWire(method);
    this.path = path;
    this.nameBytes = nameBytes;
    this.#sent = sent;
    this.#received = received;
    this.#encode = codecs?.get(sent)?.encodeForCopying;
    this.#decode = codecs?.get(received)?.decode;
  }

  /**
   * A message as bytes, which are good until the next message is encoded: copy them at once.
   * @throws RpcError with `Code.ResourceExhausted` when it is over the limit: nothing has been sent then; with
   * `Code.InvalidArgument` when it cannot be encoded.
   */
  encode(message: MessageInitShape<Sent>, maxMessageBytes: number): Uint8Array {
    let bytes: Uint8Array;
    try {
      bytes = this.#encode?.(message ?? {}) ?? toBinary(this.#sent, create(this.#sent, message));
    } catch (error) {
      throw this.#notEncoded(
        `cannot encode ${this.#sent.typeName}: ${errorText(error)}`,
        Code.InvalidArgument,
        error,
      );
    }
    if (bytes.length <= maxMessageBytes) return bytes;
    const text = `${this.#sent.typeName} is ${bytes.length} bytes, over the limit of ${maxMessageBytes} bytes; send it in parts`;
    throw this.#notEncoded(text, Code.ResourceExhausted);
  }

  /** The name of what is received. */
  get receivedType(): string {
    return this.#received.typeName;
  }

  /**
   * A message from bytes; fields of bytes are views of them.
   * @throws Error when the bytes are not such a message.
   */
  decode(bytes: Uint8Array): MessageShape<Received> {
    if (this.#decode === undefined) return fromBinary(this.#received, bytes);
    return this.#decode(bytes) as MessageShape<Received>;
  }

  #notEncoded(text: string, code: Code, cause?: unknown): RpcError {
    return new RpcError(`${this.path}: ${text}`, code, { layer: "rpc", rpc: this.path, cause });
  }
}

/** As the caller sees it. */
export function callerSide<I extends DescMessage, O extends DescMessage>(
  method: DescMethod & { input: I; output: O },
  codecs: MessageCodecs | undefined,
): MethodSide<I, O> {
  return new MethodSide(method, method.input, method.output, codecs);
}

/** As the handler sees it. */
export function handlerSide(method: DescMethod, codecs: MessageCodecs | undefined): MethodSide {
  return new MethodSide(method, method.output, method.input, codecs);
}
