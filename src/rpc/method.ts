import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { encodePacket, encodeUtf8, type MessageCodecs, PacketKind } from "../codec/index.js";
import { errorText } from "./error-text.js";
import { RpcError } from "./errors.js";

/** What a call needs of its method, made once. */
export interface MethodWire {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly nameBytes: Uint8Array;
  /** The Invoke packet of a conversation's first stream, without metadata before it. */
  readonly invoke: Uint8Array;
}

const wires = new WeakMap<DescMethod, MethodWire>();

/** The name on the wire and what is made of it. */
export function methodWire(method: DescMethod): MethodWire {
  let wire = wires.get(method);
  if (wire === undefined) {
    const path = `/${method.parent.typeName}/${method.name}`;
    const nameBytes = encodeUtf8(path);
    wire = { path, nameBytes, invoke: encodePacket(PacketKind.Invoke, 1, 1, nameBytes) };
    wires.set(method, wire);
  }
  return wire;
}

/**
 * A message as bytes.
 * @param codecs are asked first; protobuf-es writes what they do not know.
 * @throws RpcError with `Code.ResourceExhausted` when it is over the limit: nothing has been sent then; with
 * `Code.InvalidArgument` when it cannot be encoded.
 */
export function encodeMessage<T extends DescMessage>(
  schema: T,
  message: MessageInitShape<T>,
  maxMessageBytes: number,
  rpc: string,
  codecs: MessageCodecs | undefined,
): Uint8Array {
  let bytes: Uint8Array;
  try {
    const codec = codecs?.get(schema);
    bytes = codec?.encode?.(message ?? {}) ?? toBinary(schema, create(schema, message));
  } catch (error) {
    const text = errorText(error);
    throw new RpcError(`${rpc}: cannot encode ${schema.typeName}: ${text}`, Code.InvalidArgument, {
      layer: "rpc",
      rpc,
      cause: error,
    });
  }
  if (bytes.length > maxMessageBytes) {
    throw new RpcError(
      `${rpc}: ${schema.typeName} is ${bytes.length} bytes, over the limit of ${maxMessageBytes} bytes; send it in parts`,
      Code.ResourceExhausted,
      { layer: "rpc", rpc },
    );
  }
  return bytes;
}

/**
 * A message from bytes.
 * @param codecs are asked first; protobuf-es reads what they do not know.
 * @throws Error when the bytes are not such a message.
 */
export function decodeMessage<T extends DescMessage>(
  schema: T,
  bytes: Uint8Array,
  codecs: MessageCodecs | undefined,
): MessageShape<T> {
  const codec = codecs?.get(schema);
  if (codec?.decode === undefined) return fromBinary(schema, bytes);
  return codec.decode(bytes) as MessageShape<T>;
}
