import { dialAgent } from "agentwire/client";
import { createServiceClient } from "agentwire/rpc";
import { EchoService } from "../../gen/agentwire/test/v1/echo_pb.js";

/**
 * @param {number} port
 * @returns {Promise<import("../index.mjs").EchoClient>}
 */
export async function connect(port) {
  const connection = await dialAgent({ url: `http://127.0.0.1:${port}`, token: "bench", proxy: false });
  const echo = createServiceClient(EchoService, connection.transport);
  return {
    unary: (payload) => echo.unary({ payload }),
    async stream(payload, count, onPayload) {
      for await (const message of echo.serverStream({ payload, count })) onPayload(message.payload);
    },
  };
}
