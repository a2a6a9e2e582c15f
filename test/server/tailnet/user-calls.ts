import { create } from "@bufbuild/protobuf";
import { createContextValues } from "@connectrpc/connect";
import { onTestFinished } from "vitest";
import { type AgentConnection, dialAgent } from "../../../src/client/index-node.js";
import { DERPMapSchema, Tailnet } from "../../../src/gen/coder/tailnet/v2/index_pb.js";
import { silentLogger } from "../../../src/server/hooks.js";
import { type ApiUser, attachRpc, LocalEvents, MemoryStore } from "../../../src/server/index.js";
import { fixedDerpMap } from "../../../src/server/tailnet/derp/derp-map-source.js";
import { tailnetHandlers } from "../../../src/server/tailnet/handlers/index.js";
import { createTailnet, type TailnetInit, type TailnetOptions } from "../../../src/server/tailnet/tailnet.js";
import { tailnetSessionKey } from "../../../src/server/tailnet/tailnet-session.js";
import { httpServer } from "../../support/http-servers.js";

/** What the peer of a user's connection is called in tests. */
export const peerId = "0b7a1e2c-3d4f-4a5b-8c6d-7e8f90a1b2c3";

/** The tailnet service for one user, and a connection of theirs; both end with the test. */
export async function userConnection(
  init: Partial<TailnetInit> = {},
  options: TailnetOptions = {},
  user: ApiUser = { id: "ada", mayRead: "everything" },
) {
  const deps = createTailnet(options, {
    store: new MemoryStore(),
    events: new LocalEvents(),
    log: silentLogger,
    nowUs: () => Date.now() * 1000,
    derpMap: fixedDerpMap(create(DERPMapSchema)),
    ...init,
  });
  const session = { peer: { id: peerId, name: "client", authorize: () => {} }, agentId: undefined, user };
  const { server, url } = await httpServer();
  const endpoint = attachRpc(server, {
    authenticate: () => ({}),
    routes: (router) => {
      router.service(Tailnet, tailnetHandlers(deps));
    },
    contextValues: () => createContextValues().set(tailnetSessionKey, session),
  });
  const connection = (await dialAgent({ url, token: "any", proxy: false })) as AgentConnection;
  onTestFinished(async () => {
    await connection.close();
    await endpoint.close();
    await deps.close();
  });
  return { deps, connection };
}
