import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { DERPMapSchema } from "../../src/gen/coder/tailnet/v2/derp_map_pb.js";
import { agentAddresses, formatAddress } from "../../src/server/tailnet/node-address.js";
import { EchoService } from "../gen/agentwire/test/v1/echo_pb.js";
import { eventually } from "../support/control-plane.js";
import { describeWithGo, type Facts } from "../support/go-peer.js";
import {
  agentRpc,
  commandMs,
  echoRpc,
  goCall,
  goFailure,
  goRefusal,
  goStreams,
  tailnetRpc,
} from "./support/go-client.js";
import { uuidB64, Workspace } from "./support/workspace.js";

/** An rpc stream of the Go client, with short names for what is done on it. */
async function goStream({ peer, handle: session }: Workspace, rpc: string) {
  const handle = await peer.handle("stream", { handle: session, rpc });
  return {
    send: (json: Facts) => peer.do("send", { handle, json, timeoutMs: commandMs }),
    recv: (timeoutMs = commandMs) => peer.do("recv", { handle, timeoutMs }),
    closeSend: () => peer.do("closeSend", { handle }),
    cancel: () => peer.do("cancel", { handle }),
  };
}

describeWithGo("the tailnet service of our server, for a Go client", () => {
  it("S4.4 StreamDERPMaps: the map at once; the stream stays open until it is cancelled", async () => {
    const derpMap = create(DERPMapSchema, { homeParams: { regionScore: { 1: 0.5 } } });
    const workspace = await Workspace.start({ derpMap: () => derpMap });
    const stream = await goStream(workspace, tailnetRpc("StreamDERPMaps"));
    await stream.send({});
    await stream.closeSend();
    expect((await stream.recv())["json"]).toEqual({ homeParams: { regionScore: { 1: 0.5 } } });
    expect(await goFailure(stream.recv(50))).toMatchObject({ timeout: true });
    expect(await goStreams(workspace.peer, workspace.handle)).toBe(1);
    await stream.cancel();
    await eventually(async () => (await goStreams(workspace.peer, workspace.handle)) === 0);
  });

  it("S4.9 Coordinate: kept, also when nothing is answered, or a complaint (S4.19); Disconnect ends it", async () => {
    const workspace = await Workspace.start();
    const stream = await goStream(workspace, tailnetRpc("Coordinate"));
    const node = {
      id: "9007199254740993",
      addresses: agentAddresses(workspace.agentId).map((address) => `${formatAddress(address)}/128`),
      derpLatency: { "1-v4": 0.01 },
    };
    for (let i = 0; i < 10; i++) await stream.send({ updateSelf: { node } });
    expect(await goFailure(stream.recv(50))).toMatchObject({ timeout: true });
    await stream.send({ readyForHandshake: [{ id: uuidB64(workspace.agentId) }] });
    const error = `ready for handshake error: you do not share a tunnel with "${workspace.agentId}"`;
    expect((await stream.recv())["json"]).toEqual({ error });
    await stream.send({ disconnect: {} });
    expect(await stream.recv()).toMatchObject({ eof: true });
    await stream.closeSend();
  });

  it("S4.12 Coordinate: an agent with an address that is not its own is told so, and its stream ends", async () => {
    const workspace = await Workspace.start();
    const stream = await goStream(workspace, tailnetRpc("Coordinate"));
    await stream.send({ updateSelf: { node: { addresses: ["fd7a:115c:a1e0::1/128"] } } });
    const error = "authorization: Addresses: invalid node address, got fd7a:115c:a1e0::1";
    expect((await stream.recv())["json"]).toEqual({ error });
    expect(await stream.recv()).toMatchObject({ eof: true });
    await stream.closeSend();
  });

  it("W4.5 Coordinate: CloseSend ends it", async () => {
    const workspace = await Workspace.start();
    const stream = await goStream(workspace, tailnetRpc("Coordinate"));
    await stream.send({ updateSelf: { node: {} } });
    await stream.closeSend();
    expect(await stream.recv()).toMatchObject({ eof: true });
  });

  it("both streams beside calls, as an agent has them", async () => {
    const workspace = await Workspace.start();
    const maps = await goStream(workspace, tailnetRpc("StreamDERPMaps"));
    await maps.send({});
    const coordination = await goStream(workspace, tailnetRpc("Coordinate"));
    await coordination.send({ updateSelf: { node: {} } });
    await maps.recv();
    for (let i = 0; i < 20; i++) await workspace.call("UpdateStats");
    await eventually(async () => (await goStreams(workspace.peer, workspace.handle)) === 2, "two are left");
    await maps.cancel();
    await coordination.cancel();
  });

  it("S4.8 PostTelemetry: kept, but for events without an id", async () => {
    const workspace = await Workspace.start();
    const id = "11111111-2222-4333-8444-555555555555";
    const event = { application: "ssh", nodeIdSelf: "18446744073709551615", latestNetcheck: { UDP: true } };
    const events = [{ ...event, id: uuidB64(id) }, { ...event, id: "YWJj" }, event];
    const post = (json: Facts) => goCall(workspace.peer, workspace.handle, tailnetRpc("PostTelemetry"), json);
    expect(await post({ events })).toEqual({});
    expect(await post({})).toEqual({});
    expect((await workspace.reports()).telemetry).toMatchObject([{ id, event: { application: "ssh" } }]);
  });

  it("S4.3 RefreshResumeToken and WorkspaceUpdates are not for agents, and say so", async () => {
    const workspace = await Workspace.start();
    const refresh = goCall(workspace.peer, workspace.handle, tailnetRpc("RefreshResumeToken"));
    expect(await goRefusal(refresh)).toEqual({
      text: "resume tokens not supported on agent sessions",
      code: undefined,
    });
    const stream = await goStream(workspace, tailnetRpc("WorkspaceUpdates"));
    await stream.send({ workspaceOwnerId: uuidB64(workspace.agentId) });
    expect(await goRefusal(stream.recv())).toEqual({
      text: "workspace updates not supported on agent sessions",
      code: undefined,
    });
  });
});

describeWithGo("W4.7 RPCs that our server does not have, for a Go client", () => {
  it.each([
    ["/coder.agent.v2.Agent/Nope", '"/coder.agent.v2.Agent/Nope"'],
    ["/coder.agent.v2.agent/GetManifest", '"/coder.agent.v2.agent/GetManifest"'],
    ["GetManifest", '"GetManifest"'],
    ["", '""'],
    ['/a"b\\c\nd\u0007é\u200b', '"/a\\"b\\\\c\\nd\\aé\\u200b"'],
  ])("%j: code 0 and the name, quoted as Go does", async (rpc, quoted) => {
    const { peer, handle } = await Workspace.start();
    for (const facts of [{}, { padding: 100_000 }]) {
      expect(await goRefusal(peer.do("call", { handle, rpc, timeoutMs: 5000, ...facts }))).toEqual({
        text: `protocol error: unknown rpc: ${quoted}`,
        code: undefined,
      });
    }
  });

  it("a service without an implementation: code 12, Unimplemented", async () => {
    const workspace = await Workspace.start({ routes: (router) => router.service(EchoService, {}) });
    const { peer, handle } = workspace;
    for (const method of ["Unary", "ClientStream", "ServerStream", "Bidi"]) {
      const call = peer.do("call", { handle, rpc: echoRpc(method), timeoutMs: 5000 });
      expect(await goRefusal(call)).toEqual({ text: "Unimplemented", code: "12" });
    }
    expect(await goCall(peer, handle, agentRpc("GetManifest"))).toMatchObject({ agentName: "main" });
  });

  it("S7.7 a unary call that is ended without a request", async () => {
    const workspace = await Workspace.start();
    const stream = await goStream(workspace, agentRpc("GetManifest"));
    await stream.closeSend();
    expect(await goRefusal(stream.recv())).toEqual({ text: "EOF", code: undefined });
  });
});
