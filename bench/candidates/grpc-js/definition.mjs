import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { EchoService } from "../../gen/agentwire/test/v1/echo_pb.js";

/** The service as grpc-js wants it, with protobuf-es as codec. */
export const definition = {
  unary: methodDefinition(EchoService.method.unary),
  serverStream: methodDefinition(EchoService.method.serverStream),
};

/** @param {import("@bufbuild/protobuf").DescMethod} method */
function methodDefinition(method) {
  return {
    path: `/${EchoService.typeName}/${method.name}`,
    requestStream: false,
    responseStream: method.methodKind === "server_streaming",
    requestSerialize: serializer(method.input),
    requestDeserialize: deserializer(method.input),
    responseSerialize: serializer(method.output),
    responseDeserialize: deserializer(method.output),
  };
}

/** @param {import("@bufbuild/protobuf").DescMessage} schema */
function serializer(schema) {
  return (/** @type {import("@bufbuild/protobuf").Message} */ message) => {
    const bytes = toBinary(schema, message);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}

/** @param {import("@bufbuild/protobuf").DescMessage} schema */
function deserializer(schema) {
  return (/** @type {Buffer} */ bytes) => fromBinary(schema, bytes);
}
