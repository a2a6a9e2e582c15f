import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { EchoService } from "../../gen/agentwire/test/v1/echo_pb.js";

/**
 * @param {number} port
 * @param {string} protocol `h2-grpc`, `h2-connect` or `h1-connect`
 * @returns {Promise<import("../index.mjs").EchoClient>}
 */
export async function connect(port, protocol) {
  const echo = createClient(EchoService, transportFor(protocol, `http://127.0.0.1:${port}`));
  return {
    unary: (payload) => echo.unary({ payload }),
    async stream(payload, count, onPayload) {
      for await (const message of echo.serverStream({ payload, count })) onPayload(message.payload);
    },
  };
}

/**
 * Without compression, which Connect asks for by default and no other candidate does.
 *
 * @param {string} protocol
 * @param {string} baseUrl
 */
function transportFor(protocol, baseUrl) {
  const options = { baseUrl, acceptCompression: [] };
  switch (protocol) {
    case "h2-grpc":
      return createGrpcTransport(options);
    case "h2-connect":
      return createConnectTransport({ ...options, httpVersion: "2" });
    case "h1-connect":
      return createConnectTransport({ ...options, httpVersion: "1.1" });
    default:
      throw new Error(`no such protocol: ${protocol}`);
  }
}
