import { once } from "node:events";
import { create } from "@bufbuild/protobuf";
import grpc from "@grpc/grpc-js";
import { ServerStreamResponseSchema, UnaryResponseSchema } from "../../gen/agentwire/test/v1/echo_pb.js";
import { definition } from "./definition.mjs";

/** grpc-js listens by itself. */
export function listen() {
  const server = new grpc.Server();
  server.addService(definition, {
    unary: ({ request }, answer) => answer(null, create(UnaryResponseSchema, { payload: request.payload })),
    async serverStream(call) {
      const { payload, count } = call.request;
      for (let sent = 0; sent < count; sent++) {
        if (!call.write(create(ServerStreamResponseSchema, { payload }))) await once(call, "drain");
      }
      call.end();
    },
  });
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(error);
      else resolve(port);
    });
  });
}
