import { create } from "@bufbuild/protobuf";
import grpc from "@grpc/grpc-js";
import { definition } from "../../candidates/grpc-js/definition.mjs";
import {
  ServerStreamRequestSchema,
  ServerStreamResponseSchema,
  UnaryRequestSchema,
  UnaryResponseSchema,
} from "../../gen/agentwire/test/v1/echo_pb.js";

export function serve() {
  const server = new grpc.Server();
  server.addService(definition, {
    unary: ({ request }, answer) => answer(null, create(UnaryResponseSchema, { payload: request.payload })),
    serverStream(call) {
      call.write(create(ServerStreamResponseSchema, { payload: call.request.payload }));
    },
  });
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(error);
      else resolve({ port });
    });
  });
}

/** @param {number} port */
export async function connect(port) {
  const EchoClient = grpc.makeGenericClientConstructor(definition, "EchoService");
  const echo = new EchoClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
    // a connection for each channel
    "grpc.use_local_subchannel_pool": 1,
  });
  const call = () =>
    new Promise((resolve, reject) => {
      echo.unary(create(UnaryRequestSchema, {}), (error, answer) => {
        if (error) reject(error);
        else resolve(answer);
      });
    });
  await call();
  return {
    call,
    openStream(payload) {
      return new Promise((resolve, reject) => {
        echo
          .serverStream(create(ServerStreamRequestSchema, { payload, count: 1 }))
          .on("data", resolve)
          .on("error", reject);
      });
    },
    close: () => echo.close(),
  };
}
