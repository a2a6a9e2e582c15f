import { create } from "@bufbuild/protobuf";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  AppStatusState,
  type ConnectionFacts,
  connectAgent,
  DialError,
  dialAgent,
  LogSender,
  UnsupportedByServerError,
} from "../../../src/client/agent/index-node.js";
import * as everything from "../../../src/client/index-node.js";
import { DERPMapSchema } from "../../../src/gen/coder/tailnet/v2/derp_map_pb.js";
import { Tailnet } from "../../../src/gen/coder/tailnet/v2/tailnet_pb.js";
import { createServiceClient } from "../../../src/rpc/index.js";
import { controlPlane, eventually, token } from "../../support/control-plane.js";
import { failure } from "../../support/echo.js";

async function dialled(url: string, options: Partial<Parameters<typeof dialAgent>[0]> = {}) {
  const connection = await dialAgent({ url, token, proxy: false, ...options });
  onTestFinished(() => connection.close());
  return connection;
}

describe("the client of the agent service alone", () => {
  it("makes calls on a connection that has no client of the tailnet service", async () => {
    const plane = await controlPlane({ apps: [{ slug: "claude" }] });
    const connection = await dialled(plane.url, { role: "reporter" });
    const { agentName } = await connection.agent.getManifest({});
    expect(agentName).toBe("main");
    const facts: ConnectionFacts = connection;
    expect(facts).toMatchObject({ role: "reporter", version: { major: 2, minor: 10 } });
    expect(connection).not.toHaveProperty("tailnet");
    await connection.agent.updateAppStatus({
      slug: "claude",
      state: AppStatusState.IDLE,
      message: "waiting",
    });
    expect(connection.supports("pushContextState")).toBe(true);
  });

  it("reads the relay map of a manifest as the whole client does", async () => {
    const node = { name: "1a", regionId: 1n, hostName: "relay.example" };
    const derpMap = create(DERPMapSchema, {
      homeParams: {},
      regions: { "1": { regionId: 1n, regionCode: "one", nodes: [node] } },
    });
    const plane = await controlPlane({}, { derpMap });
    const alone = await dialled(plane.url);
    const whole = await everything.dialAgent({ url: plane.url, token, proxy: false });
    onTestFinished(() => whole.close());
    const manifest = await alone.agent.getManifest({});
    expect(manifest.derpMap?.regions["1"]?.nodes[0]?.hostName).toBe("relay.example");
    expect(manifest).toEqual(await whole.agent.getManifest({}));
  });

  it("calls other services over the transport of the connection", async () => {
    const plane = await controlPlane();
    const { transport } = await dialled(plane.url);
    const maps = createServiceClient(Tailnet, transport).streamDERPMaps({});
    for await (const map of maps) {
      expect(map.$typeName).toBe("coder.tailnet.v2.DERPMap");
      break;
    }
  });

  it("keeps a session with senders going over connections", async () => {
    const plane = await controlPlane();
    const logs = new LogSender();
    let connections = 0;
    const session = connectAgent({
      url: plane.url,
      token,
      proxy: false,
      backoff: { firstMs: 1 },
      senders: [logs],
      onConnected: () => {
        connections++;
      },
    });
    onTestFinished(async () => void (await session.close()));
    const first = await session.connected();
    expect(first).not.toHaveProperty("tailnet");
    session.reconnect();
    await eventually(() => connections === 2, "a second connection");
    expect(await session.close()).toEqual({ error: undefined, unsent: [] });
  });

  it("fails with the errors of the whole client, which has all of its names", async () => {
    const plane = await controlPlane();
    const refused = await failure(dialAgent({ url: plane.url, token: "wrong", proxy: false }));
    expect(refused).toBeInstanceOf(DialError);
    expect(DialError).toBe(everything.DialError);
    expect(UnsupportedByServerError).toBe(everything.UnsupportedByServerError);
    const alone = Object.keys(await import("../../../src/client/agent/index-node.js"));
    expect(Object.keys(everything)).toEqual(expect.arrayContaining(alone));
  });
});
