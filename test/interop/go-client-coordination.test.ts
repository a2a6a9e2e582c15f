import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { parseUuid } from "../../src/codec/index.js";
import {
  CoordinateRequestSchema,
  type DERPMap,
  DERPMapSchema,
} from "../../src/gen/coder/tailnet/v2/index_pb.js";
import {
  type ControlPlaneOptions,
  type Coordination,
  type Coordinator,
  derpMapFrom,
  LocalCoordinator,
} from "../../src/server/index.js";
import { controlPlane, eventually, token } from "../support/control-plane.js";
import { describeWithGo, type Facts, GoPeer } from "../support/go-peer.js";
import { goCall, goDial, goFailure, tailnetRpc } from "./support/go-client.js";
import { GoFollower } from "./support/go-follower.js";
import { uuidB64, uuidOf } from "./support/workspace.js";

const adminToken = "a token of sixteen and more";

/** A control plane with an agent and a Go process that plays on both sides of it. */
async function network(options: ControlPlaneOptions = {}) {
  const peer = GoPeer.start();
  const plane = await controlPlane({}, { adminToken, ...options });
  const agentId = plane.agents[0]?.id ?? "";
  const agentNode = { id: "7", addresses: [agentAddress(agentId)], allowedIps: [agentAddress(agentId)] };
  const ws = plane.url.replace("http", "ws");
  return {
    peer,
    plane,
    agentId,
    agentB64: uuidB64(agentId),
    agentNode,
    tailnetUrl: `${ws}/api/v2/tailnet`,
    agent: (more: Facts = {}) =>
      GoFollower.start(peer, {
        url: `${ws}/api/v2/workspaceagents/me/rpc`,
        token,
        version: "2.10",
        role: "agent",
        node: agentNode,
        acknowledge: true,
        relayMaps: true,
        ...more,
      }),
    user: (more: Facts = {}) =>
      GoFollower.start(peer, {
        url: `${ws}/api/v2/tailnet`,
        token: adminToken,
        version: "2.3",
        node: { id: "8", addresses: ["fd7a:115c:a1e0::8/128"] },
        tunnels: [uuidB64(agentId)],
        ...more,
      }),
  };
}

/** The agent's id under the prefix of the service, as agents have it. */
function agentAddress(agentId: string): string {
  const digits = `fd7a115ca1e0${agentId.replaceAll("-", "").slice(12)}`;
  return `${digits.match(/.{4}/g)?.join(":")}/128`;
}

describeWithGo("the coordination of a Go agent and a Go client on our control plane", () => {
  it("S4.15 C9.5 both learn of each other's node, and the client that the agent is ready", async () => {
    const { agent, user, agentB64, agentNode } = await network();
    const theAgent = await agent();
    const theUser = await user();
    await theUser.knows(agentB64, "READY_FOR_HANDSHAKE");
    const [update] = (await theUser.state()).updates;
    expect(update).toMatchObject({ id: agentB64, kind: "NODE", node: agentNode });
    const [seen] = (await theAgent.until(({ known }) => known.length === 1, "the client")).known;
    expect(seen).toMatchObject({ kind: "NODE", reason: "add tunnel", node: { id: "8" } });
    expect((await theAgent.state()).maps).toHaveLength(1);
  });

  it("S4.14 a new node reaches the other side, and the same again does not", async () => {
    const { agent, user, agentB64, agentNode } = await network();
    const theAgent = await agent();
    const theUser = await user();
    await theUser.knows(agentB64, "READY_FOR_HANDSHAKE");
    for (const preferredDerp of [3, 3, 4]) {
      await theAgent.request({ updateSelf: { node: { ...agentNode, preferredDerp } } });
    }
    await theUser.until(({ known }) => known[0]?.node?.["preferredDerp"] === 4, "the last node");
    const nodes = (await theUser.state()).updates.filter(({ kind }) => kind === "NODE");
    expect(nodes.map(({ node }) => node?.["preferredDerp"])).toEqual([undefined, 3, 4]);
  });

  it("S4.16 a tunnel that is taken away is DISCONNECTED on both sides", async () => {
    const { agent, user, agentB64 } = await network();
    const theAgent = await agent();
    const theUser = await user();
    await theUser.knows(agentB64, "READY_FOR_HANDSHAKE");
    await theUser.request({ removeTunnel: { id: agentB64 } });
    await theUser.knows(agentB64, "DISCONNECTED", "remove tunnel");
    await theAgent.until(({ known }) => known[0]?.kind === "DISCONNECTED", "the client is gone");
  });

  it("S4.17 who leaves in order has its stream ended without an error, and is DISCONNECTED", async () => {
    const { agent, user, agentB64 } = await network();
    const theAgent = await agent();
    const theUser = await user();
    await theUser.knows(agentB64, "READY_FOR_HANDSHAKE");
    expect(await theAgent.leave()).toBe("EOF");
    await theUser.knows(agentB64, "DISCONNECTED", "graceful disconnect");
    expect((await theAgent.state()).errors).toEqual([]);
    expect((await theUser.state()).sessions).toBe(1);
  });

  it("S4.18 S4.22 who vanishes is LOST, and comes back into the tunnels that lead to it", async () => {
    const { agent, user, agentB64 } = await network();
    const theUser = await user();
    const first = await agent();
    await theUser.knows(agentB64, "READY_FOR_HANDSHAKE");
    await first.vanish();
    await theUser.knows(agentB64, "LOST", "lost");
    const second = await agent();
    await theUser.knows(agentB64, "READY_FOR_HANDSHAKE");
    expect((await second.state()).known).toMatchObject([{ kind: "NODE", node: { id: "8" } }]);
    expect((await theUser.state()).sessions).toBe(1);
  });

  it("S4.12 a foreign address ends the stream with the reason, and the agent dials again", async () => {
    const { agent, agentNode } = await network();
    const theAgent = await agent();
    await theAgent.requestTheEnd({
      updateSelf: { node: { ...agentNode, addresses: ["fd7a:115c:a1e0::1/128"] } },
    });
    const { errors, ends } = await theAgent.until(({ sessions }) => sessions === 2, "the second session");
    expect(errors).toEqual(["authorization: Addresses: invalid node address, got fd7a:115c:a1e0::1"]);
    expect(ends).toEqual(["read: EOF"]);
  });

  it("S4.12 an agent opens no tunnels", async () => {
    const { agent, agentB64 } = await network();
    const theAgent = await agent();
    await theAgent.requestTheEnd({ addTunnel: { id: agentB64 } });
    const { errors } = await theAgent.until(({ sessions }) => sessions === 2, "the second session");
    expect(errors).toEqual(["authorization: agents cannot open tunnels"]);
  });

  it("S4.13 no tunnel leads to an agent that is not there, and the program dials again", async () => {
    const { user } = await network();
    const strangerB64 = uuidB64("11111111-2222-4333-8444-555555555555");
    const theUser = await user({ tunnels: [strangerB64] });
    const { errors } = await theUser.until(({ ends }) => ends.length > 0, "the end");
    expect(errors[0]).toBe("authorization: workspace agent not found or you do not have permission");
  });

  it("S4.19 an acknowledgement without a tunnel is complained about, and the stream stays", async () => {
    const { agent, user, agentB64 } = await network();
    const theAgent = await agent();
    const strangerId = "11111111-2222-4333-8444-555555555555";
    await theAgent.request({ readyForHandshake: [{ id: uuidB64(strangerId) }] });
    const { errors } = await theAgent.until(({ errors: said }) => said.length === 1, "the complaint");
    expect(errors).toEqual([
      `ready for handshake error: you do not share a tunnel with ${JSON.stringify(strangerId)}`,
    ]);
    const theUser = await user();
    await theUser.knows(agentB64, "READY_FOR_HANDSHAKE");
    expect((await theAgent.state()).sessions).toBe(1);
  });

  it("S4.23 an agent whose coordinator closes is told so, and dials again", async () => {
    const coordinator = new LocalCoordinator();
    const { agent, user, agentB64 } = await network({ tailnet: { coordinator } });
    const theAgent = await agent({ redialMs: 20 });
    const theUser = await user({ redialMs: 20 });
    await theUser.knows(agentB64, "READY_FOR_HANDSHAKE");
    await coordinator.close();
    for (const each of [theAgent, theUser]) {
      const { errors, ends } = await each.until(({ sessions }) => sessions > 1, "it dials again");
      expect(errors[0]).toBe("coordinator closed");
      expect(ends[0]).toBe("read: EOF");
    }
  });

  it("S4.24 the older stream of an agent that is there twice ends, and its session is given up", async () => {
    const { agent, user, peer, plane, agentB64, agentNode } = await network();
    const theAgent = await agent({ redialMs: 60_000 });
    const theUser = await user();
    await theUser.knows(agentB64, "READY_FOR_HANDSHAKE");
    const handle = await goDial(peer, plane, { role: "agent" });
    const stream = await peer.handle("stream", { handle, rpc: tailnetRpc("Coordinate") });
    await peer.do("send", { handle: stream, json: { updateSelf: { node: { ...agentNode, id: "9" } } } });
    const { errors, ends } = await theAgent.until((state) => state.ends.length === 1, "the end");
    expect(errors).toEqual(["peer ID overwritten by new connection"]);
    expect(ends).toEqual(["read: EOF"]);
    await theUser.until(({ known }) => known[0]?.node?.["id"] === "9", "the new one");
    expect((await theUser.state()).updates.some(({ kind }) => kind === "LOST")).toBe(false);
  });

  it("S4.21 a program that reads nothing is cut off, and costs nobody else anything", async () => {
    const coordinator = new LocalCoordinator();
    const { agent, user, peer, plane, agentB64, agentId, agentNode, tailnetUrl } = await network({
      tailnet: { coordinator },
    });
    const theAgent = await agent();
    const theUser = await user();
    await theUser.knows(agentB64, "READY_FOR_HANDSHAKE");
    const handle = await goDial(peer, plane, { url: tailnetUrl, token: adminToken, version: "2.3" });
    const deaf = await peer.handle("stream", { handle, rpc: tailnetRpc("Coordinate") });
    await peer.do("send", { handle: deaf, json: { addTunnel: { id: uuidB64(agentId) } } });
    await eventually(() => coordinator.peerCount === 3, "the third");
    const disco = "d".repeat(20_000);
    for (let i = 0; coordinator.peerCount === 3; i++) {
      if (i === 3000) throw new Error("it is still there after 3,000 changes");
      await theAgent.request({ updateSelf: { node: { ...agentNode, disco, preferredDerp: i + 1 } } });
    }
    await theAgent.request({ updateSelf: { node: { ...agentNode, preferredDerp: 99_999 } } });
    await theUser.until(({ known }) => known[0]?.node?.["preferredDerp"] === 99_999, "the last node");
    expect((await theAgent.state()).sessions).toBe(1);
    expect((await theUser.state()).sessions).toBe(1);
  });

  it("S4.22 C9.7 the nodes of 1,500 peers come in messages of at most 1,024", async () => {
    const coordinator = new LocalCoordinator();
    const { peer, plane, agentId, agentNode } = await network({ tailnet: { coordinator } });
    for (let i = 0; i < 1500; i++) {
      const id = `00000000-0000-4000-8000-${String(i).padStart(12, "0")}`;
      const updateSelf = { node: { id: BigInt(i) } };
      const addTunnel = { id: parseUuid(agentId) ?? new Uint8Array() };
      await joined(coordinator, id).send(create(CoordinateRequestSchema, { updateSelf, addTunnel }));
    }
    const handle = await goDial(peer, plane, { role: "agent" });
    const stream = await peer.handle("stream", { handle, rpc: tailnetRpc("Coordinate") });
    await peer.do("send", { handle: stream, json: { updateSelf: { node: agentNode } } });
    const counts: number[] = [];
    for (let i = 0; i < 2; i++) {
      const { json } = await peer.do("recv", { handle: stream, timeoutMs: 5000 });
      counts.push((json as { peerUpdates: unknown[] }).peerUpdates.length);
    }
    expect(counts).toEqual([1024, 476]);
  });

  it("an agent's two streams stay as long as nothing is wrong", async () => {
    const { agent, peer, plane } = await network();
    const theAgent = await agent();
    const handle = await goDial(peer, plane, { role: "my-tool" });
    for (let i = 0; i < 200; i++) await goCall(peer, handle, "/coder.agent.v2.Agent/GetManifest");
    expect(await theAgent.state()).toMatchObject({ sessions: 1, ends: [], isConnected: true });
  });
});

describeWithGo("what else of the tailnet service a Go program uses", () => {
  it("S4.4 C9.8 a relay map comes again when it has changed, and only then", async () => {
    let derpMap = mapOf("frankfurt");
    const { agent } = await network({ derpMap: derpMapFrom(() => derpMap, { intervalMs: 10 }) });
    const theAgent = await agent();
    await theAgent.until(({ maps }) => maps.length === 1, "the first map");
    derpMap = mapOf("frankfurt");
    await new Promise((resolve) => setTimeout(resolve, 50));
    derpMap = mapOf("paris");
    const { maps } = await theAgent.until((state) => state.maps.length > 1, "the second map");
    const names = maps.map((map) => (map["regions"] as Record<string, Facts>)["1"]?.["regionName"]);
    expect(names).toEqual(["frankfurt", "paris"]);
  });

  it("S4.30 C9.10 who dials with a resume token keeps its peer id; a wrong token is refused", async () => {
    const { agent, peer, plane, agentB64, tailnetUrl } = await network();
    const theAgent = await agent();
    const dial = { url: tailnetUrl, token: adminToken, version: "2.3" };
    const coordinate = async (handle: number) => {
      const stream = await peer.handle("stream", { handle, rpc: tailnetRpc("Coordinate") });
      await peer.do("send", {
        handle: stream,
        json: { addTunnel: { id: agentB64 }, updateSelf: { node: {} } },
      });
      await peer.do("recv", { handle: stream, timeoutMs: 5000 });
    };
    const first = await goDial(peer, plane, dial);
    await coordinate(first);
    const answer = await goCall(peer, first, tailnetRpc("RefreshResumeToken"));
    expect(answer).toMatchObject({ token: expect.any(String), refreshIn: "43200s" });
    await peer.do("close", { handle: first });
    await theAgent.until(({ known }) => known[0]?.kind === "LOST", "it is lost");
    const url = `${tailnetUrl}?resume_token=${answer["token"]}`;
    await coordinate(await goDial(peer, plane, { ...dial, url }));
    const { known } = await theAgent.until((state) => state.known[0]?.kind === "NODE", "it is back");
    expect(known).toHaveLength(1);

    const refused = await goFailure(peer.do("dial", { ...dial, url: `${url}x` }));
    expect(refused).toMatchObject({ status: 401 });
    expect(JSON.parse(String(refused["body"]))).toEqual({
      message: "Invalid resume token",
      detail: expect.any(String),
      validations: [{ field: "resume_token", detail: "Invalid resume token" }],
    });
  });

  it("S4.33 C9.11 the workspaces of an owner: all of them, then what changes", async () => {
    const { peer, plane, agentId, agentB64, tailnetUrl } = await network();
    const workspace = (await plane.store.workspaces())[0];
    const handle = await goDial(peer, plane, { url: tailnetUrl, token: adminToken, version: "2.3" });
    const stream = await peer.handle("stream", { handle, rpc: tailnetRpc("WorkspaceUpdates") });
    const json = { workspaceOwnerId: uuidB64(workspace?.ownerId ?? "") };
    await peer.do("send", { handle: stream, json });
    await peer.do("closeSend", { handle: stream });
    const next = async () => (await peer.do("recv", { handle: stream, timeoutMs: 5000 }))["json"];
    expect(await next()).toEqual({
      upsertedWorkspaces: [{ id: uuidB64(workspace?.id ?? ""), name: "dev", status: "RUNNING" }],
      upsertedAgents: [{ id: agentB64, name: "main", workspaceId: uuidB64(workspace?.id ?? "") }],
    });
    await plane.store.deleteWorkspace(workspace?.id ?? "");
    plane.events.publish({
      topic: "workspace",
      kind: "state_change",
      ownerId: workspace?.ownerId ?? "",
      workspaceId: workspace?.id ?? "",
    });
    const gone = (await next()) as { deletedAgents: { id: string }[] };
    expect(gone.deletedAgents.map(({ id }) => uuidOf(id))).toEqual([agentId]);
  });

  it("S4.35 the endpoint of one agent leads to that agent only, and wants a version", async () => {
    const { agent, user, peer, plane, agentId, agentB64 } = await network();
    await agent();
    const url = `${plane.url.replace("http", "ws")}/api/v2/workspaceagents/${agentId}/coordinate`;
    const theUser = await user({ url });
    await theUser.knows(agentB64, "READY_FOR_HANDSHAKE");
    const other = uuidB64("11111111-2222-4333-8444-555555555555");
    await theUser.requestTheEnd({ addTunnel: { id: other } });
    const { errors } = await theUser.until(({ sessions }) => sessions === 2, "the second session");
    expect(errors[0]).toMatch(/^authorization: invalid agent id, expected /);
    const refused = await goFailure(peer.do("dial", { url, token: adminToken }));
    expect(JSON.parse(String(refused["body"]))).toMatchObject({
      message: "Unknown or unsupported API version",
      validations: [{ field: "version", detail: "version 1.0 is no longer supported" }],
    });
  });
});

/** A peer of the deployment itself, which hears all that is said to it. */
function joined(coordinator: Coordinator, id: string): Coordination {
  const coordination = coordinator.coordinate({ id, name: "internal", authorize: () => {} });
  void (async () => {
    for await (const _response of coordination.responses);
  })();
  return coordination;
}

function mapOf(regionName: string): DERPMap {
  return create(DERPMapSchema, { homeParams: {}, regions: { 1: { regionId: 1n, regionName } } });
}
