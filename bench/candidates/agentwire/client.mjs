import { dialAgent } from "agentwire/client";
import { createDrpcTransport, createServiceClient } from "agentwire/rpc";
import { echoServiceCallerCodecs } from "../../gen/agentwire/test/v1/echo_codec.js";
import { EchoService } from "../../gen/agentwire/test/v1/echo_pb.js";
import { windowsOf } from "./windows.mjs";

/**
 * @param {number} port
 * @param {string} [variant]
 * @returns {Promise<import("../index.mjs").EchoClient>}
 */
export async function connect(port, variant) {
  const yamux = windowsOf(variant);
  const connection = await dialAgent({
    url: `http://127.0.0.1:${port}`,
    token: "bench",
    proxy: false,
    yamux,
  });
  const transport = createDrpcTransport(connection.session, { codecs: echoServiceCallerCodecs });
  const echo = createServiceClient(EchoService, transport);
  return {
    unary: (payload) => echo.unary({ payload }),
    async stream(payload, count, onPayload) {
      for await (const message of echo.serverStream({ payload, count })) onPayload(message.payload);
    },
  };
}
