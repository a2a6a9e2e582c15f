import { EchoService } from "../gen/agentwire/test/v1/echo_pb.js";

/**
 * The handlers for everything that takes Connect's routes.
 *
 * @param {import("@connectrpc/connect").ConnectRouter} router
 */
export function routes(router) {
  router.service(EchoService, {
    unary: ({ payload }) => ({ payload }),
    async *serverStream({ payload, count }) {
      for (let sent = 0; sent < count; sent++) yield { payload };
    },
  });
}
