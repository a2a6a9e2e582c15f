// The coordinator behind WebSocket, yamux and dRPC. A peer's token is its id, and it may say anything.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { createContextValues } from "@connectrpc/connect";
import { Tailnet } from "../../dist/gen/coder/tailnet/v2/index_pb.js";
import { agentSessionKey, attachRpc } from "../../dist/server/index.js";
import { coordinateHandlers } from "../../dist/server/tailnet/handlers/coordinate.js";
import { LastingStreams } from "../../dist/server/tailnet/lasting-streams.js";
import { LocalCoordinator } from "../../dist/server/tailnet/local-coordinator.js";
import { heapBytes } from "./node.mjs";

const coordinator = new LocalCoordinator();
const server = createServer();
const handlers = coordinateHandlers(
  /** @type {any} */ ({
    streams: new LastingStreams(),
    log: console,
    coordinator: {
      coordinate: (/** @type {object} */ peer) =>
        coordinator.coordinate(/** @type {any} */ ({ ...peer, authorize: () => {} })),
    },
  }),
);
attachRpc(server, {
  authenticate: ({ token }) => token ?? "",
  contextValues: ({ identity }) =>
    createContextValues().set(agentSessionKey, /** @type {any} */ ({ agentId: identity })),
  routes: (router) => {
    router.service(Tailnet, handlers);
  },
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address !== null && typeof address === "object") say({ url: `http://127.0.0.1:${address.port}` });
});
// each line asks for the memory
createInterface({ input: process.stdin }).on("line", async () => {
  const heap = await heapBytes();
  say({ heap, rss: process.memoryUsage().rss, peers: coordinator.peerCount });
});

function say(/** @type {object} */ facts) {
  console.log(JSON.stringify(facts));
}
