import { create } from "@bufbuild/protobuf";
import grpc from "@grpc/grpc-js";
import { ServerStreamRequestSchema, UnaryRequestSchema } from "../../gen/agentwire/test/v1/echo_pb.js";
import { definition } from "./definition.mjs";

/**
 * @param {number} port
 * @returns {Promise<import("../index.mjs").EchoClient>}
 */
export async function connect(port) {
  const EchoClient = grpc.makeGenericClientConstructor(definition, "EchoService");
  const echo = new EchoClient(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  return {
    unary: (payload) =>
      new Promise((resolve, reject) => {
        echo.unary(create(UnaryRequestSchema, { payload }), (error, answer) => {
          if (error) reject(error);
          else resolve(answer);
        });
      }),
    stream: (payload, count, onPayload) =>
      new Promise((resolve, reject) => {
        echo
          .serverStream(create(ServerStreamRequestSchema, { payload, count }))
          .on("data", (message) => onPayload(message.payload))
          .on("error", reject)
          .on("end", resolve);
      }),
  };
}
