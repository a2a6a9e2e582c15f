import type { Interceptor } from "@connectrpc/connect";
import { describe, expect, it, onTestFinished } from "vitest";
import { connectTailnet } from "../../../src/client/index-node.js";
import { dialled, eventually } from "../../support/control-plane.js";
import { adminToken, httpApi } from "../../support/http-api.js";
import { nodeOf, talk, told } from "../../support/tailnet.js";
import { startTcpProxy } from "../events/tcp-proxy.js";

/** A control plane with an agent that coordinates, and a user's side of the network that can be cut off. */
async function connected() {
  const answered: string[] = [];
  const noting: Interceptor = (next) => async (request) => {
    const answer = await next(request);
    answered.push(request.method.name);
    return answer;
  };
  const api = await httpApi({}, { interceptors: [noting] });
  const proxy = await startTcpProxy(api.plane.url);
  const agent = talk((await dialled(api.plane)).tailnet);
  agent.say({ updateSelf: { node: { addresses: [] } } });
  const network = connectTailnet({
    url: proxy.url,
    token: adminToken,
    proxy: false,
    backoff: { firstMs: 1 },
  });
  onTestFinished(async () => {
    await network.close();
    await proxy.stop();
  });
  return { ...api, proxy, agent, network, answered };
}

describe("a user's side of the network, on the endpoint", () => {
  it("S4.24 S4.29 is the same peer to the agent after its connection was cut", async () => {
    const { agentId, agent, network, proxy, answered } = await connected();
    network.setNode(nodeOf("fd7a:115c:a1e0::1"));
    network.addTunnel(agentId);
    for await (const peers of network.peers()) if (peers.get(agentId)?.status === "connected") break;
    const [, id] = /^NODE ([0-9a-f-]{36}) /.exec(String(told(await agent.next()))) ?? [];
    // what is answered later shows that the token has arrived
    await eventually(() => answered.includes("RefreshResumeToken"), "the token");
    await network.derpMaps()[Symbol.asyncIterator]().next();
    proxy.cut();
    const after = [String(told(await agent.next())), String(told(await agent.next()))];
    expect(after).toEqual([`LOST ${id} (lost)`, expect.stringMatching(`^NODE ${id} `)]);
  });

  it("S4.33 follows the workspaces of an owner", async () => {
    const { plane, workspaceId, agentId, network } = await connected();
    const ownerId = (await plane.store.workspace(workspaceId))?.ownerId ?? "";
    const { value } = await network.workspaces(ownerId)[Symbol.asyncIterator]().next();
    const workspace = [...(value?.values() ?? [])][0];
    expect(workspace).toMatchObject({ id: workspaceId, name: "dev" });
    expect([...(workspace?.agents.keys() ?? [])]).toEqual([agentId]);
  });

  it("says goodbye when it is closed", async () => {
    const { plane, agentId, agent, network } = await connected();
    network.setNode(nodeOf("fd7a:115c:a1e0::1"));
    network.addTunnel(agentId);
    expect(told(await agent.next())).toEqual([expect.stringMatching(/^NODE /)]);
    await network.close();
    expect(told(await agent.next())).toEqual([
      expect.stringMatching(/^DISCONNECTED .* \(graceful disconnect\)$/),
    ]);
    await eventually(() => plane.api.tailnetSessionCount === 0, "nobody is left");
  });
});
