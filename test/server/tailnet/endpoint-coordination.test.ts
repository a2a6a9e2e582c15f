import { describe, expect, it } from "vitest";
import type { ControlPlaneOptions } from "../../../src/server/index.js";
import { LocalCoordinator } from "../../../src/server/tailnet/local-coordinator.js";
import { dialled } from "../../support/control-plane.js";
import { httpApi, readerToken } from "../../support/http-api.js";
import { idBytes, nodeOf, type TailnetProgram, tailnetProgram, talk, told } from "../../support/tailnet.js";

/** The last 10 bytes of an agent's UUID are those of its address; the first 6 are the network's. */
function agentNode(agentId: string) {
  const hex = agentId.replaceAll("-", "").slice(12);
  return nodeOf(`fd7a:115c:a1e0:${hex.match(/.{4}/g)?.join(":")}`);
}

const unknownAgent = "00000000-0000-4000-8000-000000000001";
const clientNode = nodeOf("fd7a:115c:a1e0::1");

/** A control plane with an agent that coordinates, and the coordinator. */
async function network(options: ControlPlaneOptions = {}) {
  const coordinator = new LocalCoordinator();
  const api = await httpApi({}, { ...options, tailnet: { coordinator, ...options.tailnet } });
  const agent = talk((await dialled(api.plane)).tailnet);
  // the complaint about nobody shows that the node is known
  const readyForHandshake = [{ id: idBytes(unknownAgent) }];
  agent.say({ updateSelf: { node: agentNode(api.agentId) }, readyForHandshake });
  await agent.next();
  return { ...api, coordinator, agent };
}

/** The peer id that a program got, as its tokens name it. */
async function peerOf({ tailnet }: TailnetProgram): Promise<{ token: string; peerId: string }> {
  const { token } = await tailnet.refreshResumeToken({});
  const claims = Buffer.from(token.split(".")[1] ?? "", "base64url").toString();
  return { token, peerId: (JSON.parse(claims) as { sub: string }).sub };
}

describe("an agent and a user's program over the wire", () => {
  it.each(["tailnet", "one agent"])("see each other's nodes, and the end (%s)", async (kind) => {
    const { plane, agentId, agent } = await network();
    const path = kind === "tailnet" ? kind : `workspaceagents/${agentId}/coordinate?version=2.0`;
    const program = await tailnetProgram(plane, path);
    const { peerId } = await peerOf(program);
    const client = talk(program.tailnet);
    client.say({ updateSelf: { node: clientNode }, addTunnel: { id: idBytes(agentId) } });
    const toClient = await client.next();
    expect(told(toClient)).toEqual([`NODE ${agentId} (add tunnel)`]);
    expect(toClient?.peerUpdates[0]?.node?.addresses).toEqual(agentNode(agentId).addresses);
    expect(told(await agent.next())).toEqual([`NODE ${peerId} (add tunnel)`]);
    agent.say({ readyForHandshake: [{ id: idBytes(peerId) }] });
    expect(told(await client.next())).toEqual([expect.stringMatching(`^READY_FOR_HANDSHAKE ${agentId} `)]);
    await program.session.close();
    expect(told(await agent.next())).toEqual([`LOST ${peerId} (lost)`]);
  });

  it("S4.13 reach only what the user may connect to", async () => {
    const { plane, agentId } = await network();
    const refused = "authorization: workspace agent not found or you do not have permission";
    for (const [token, target] of [
      [readerToken, agentId],
      [undefined, unknownAgent],
    ] as const) {
      const { tailnet } = await tailnetProgram(plane, "tailnet", token && { token });
      const client = talk(tailnet);
      client.say({ addTunnel: { id: idBytes(target) } });
      expect(told(await client.next())).toBe(refused);
      expect(await client.next()).toBeUndefined();
    }
  });

  it.each(["tailnet", "one agent"])("part for good when the user is disconnected (%s)", async (kind) => {
    let may = true;
    const authenticateUser = ({ token = "" }) => ({
      id: token,
      mayRead: "everything" as const,
      mayConnect: () => may || token === "eve",
    });
    const { plane, agentId, agent, coordinator } = await network({ authenticateUser });
    const path = kind === "tailnet" ? kind : `workspaceagents/${agentId}/coordinate?version=2.0`;
    const tunnel = async (token: string) => {
      const program = await tailnetProgram(plane, path, { token });
      const { peerId } = await peerOf(program);
      const client = talk(program.tailnet);
      client.say({ updateSelf: { node: clientNode }, addTunnel: { id: idBytes(agentId) } });
      await client.next();
      expect(told(await agent.next())).toEqual([`NODE ${peerId} (add tunnel)`]);
      return { program, peerId, client };
    };
    const ada = await tunnel("ada");
    const idle = await tailnetProgram(plane, path, { token: "ada" });
    const eve = await tunnel("eve");
    may = false;
    expect(await plane.api.disconnectUser("ada")).toBe(2);
    expect(told(await agent.next())).toEqual([`DISCONNECTED ${ada.peerId} (graceful disconnect)`]);
    expect(await ada.program.closed).toMatch(/^1000 /);
    expect(await idle.closed).toMatch(/^1000 /);
    expect([plane.api.tailnetSessionCount, coordinator.peerCount]).toEqual([1, 2]);
    expect(await plane.api.disconnectUser("ada")).toBe(0);
    // who is asked anew is refused, and others go on
    if (kind === "tailnet") {
      const again = talk((await tailnetProgram(plane, path, { token: "ada" })).tailnet);
      again.say({ addTunnel: { id: idBytes(agentId) } });
      expect(told(await again.next())).toContain("you do not have permission");
    } else await expect(tailnetProgram(plane, path, { token: "ada" })).rejects.toThrow("404");
    agent.say({ readyForHandshake: [{ id: idBytes(eve.peerId) }] });
    expect(told(await eve.client.next())).toEqual([expect.stringMatching("^READY_FOR_HANDSHAKE ")]);
  });

  it("S4.13 reach nothing when the store fails, whose words are not told", async () => {
    const { plane, agentId } = await network();
    const { tailnet } = await tailnetProgram(plane);
    plane.store.agent = () => Promise.reject(new Error("no connection to db.example.com"));
    const client = talk(tailnet);
    client.say({ addTunnel: { id: idBytes(agentId) } });
    expect(told(await client.next())).toBe(
      "authorization: workspace agent not found or you do not have permission",
    );
  });

  it("S4.13 reach only the agent of the path", async () => {
    const { plane, agentId } = await network();
    const { tailnet } = await tailnetProgram(plane, `workspaceagents/${agentId}/coordinate?version=2.0`);
    const client = talk(tailnet);
    client.say({ addTunnel: { id: idBytes(unknownAgent) } });
    expect(told(await client.next())).toBe(
      `authorization: invalid agent id, expected ${agentId}, got ${unknownAgent}`,
    );
  });

  it("lose each other when the program answers no ping", async () => {
    const { plane, agentId, agent, coordinator } = await network({ streamPingIntervalMs: 40 });
    const { tailnet, closed } = await tailnetProgram(plane, "tailnet", { autoPong: false });
    const client = talk(tailnet);
    client.say({ updateSelf: { node: clientNode }, addTunnel: { id: idBytes(agentId) } });
    expect(told(await agent.next())).toEqual([expect.stringMatching(/^NODE /)]);
    expect(told(await agent.next())).toEqual([expect.stringMatching(/^LOST /)]);
    expect(coordinator.peerCount).toBe(1);
    expect(await closed).toBe("1001 liveness probe failed");
  });
});

describe("S4.29 a resume token", () => {
  it("keeps the peer id over dials, on both paths; without one it is another each time", async () => {
    const { plane, agentId } = await network();
    const first = await peerOf(await tailnetProgram(plane));
    const resumed = async (path: string) =>
      (await peerOf(await tailnetProgram(plane, `${path}resume_token=${first.token}`))).peerId;
    expect(await resumed("tailnet?")).toBe(first.peerId);
    expect(await resumed(`workspaceagents/${agentId}/coordinate?version=2.0&`)).toBe(first.peerId);
    expect((await peerOf(await tailnetProgram(plane))).peerId).not.toBe(first.peerId);
  });

  it("S4.24 takes the place of the connection that still has the peer", async () => {
    const { plane, coordinator } = await network();
    const before = await tailnetProgram(plane);
    const { token } = await peerOf(before);
    const old = talk(before.tailnet);
    old.say({ updateSelf: { node: clientNode } });
    const after = await tailnetProgram(plane, `tailnet?resume_token=${token}`);
    const client = talk(after.tailnet);
    client.say({ updateSelf: { node: clientNode } });
    expect(told(await old.next())).toBe("peer ID overwritten by new connection");
    expect(await old.next()).toBeUndefined();
    expect(coordinator.peerCount).toBe(2);
  });

  it("that has been changed is refused, with why", async () => {
    const { plane } = await network();
    const { token } = await peerOf(await tailnetProgram(plane));
    const [head, claims] = token.split(".");
    const dial = tailnetProgram(plane, `tailnet?resume_token=${head}.${claims}.AAAA`);
    await expect(dial).rejects.toThrow("401");
  });
});
