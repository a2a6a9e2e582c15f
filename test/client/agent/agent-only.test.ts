import { create } from "@bufbuild/protobuf";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  AppStatusState,
  type ConnectionFacts,
  connectAgent,
  DialError,
  dialAgent,
  externalLogSourceId,
  LogSender,
  UnsupportedByServerError,
} from "../../../src/client/agent/index-node.js";
import * as everything from "../../../src/client/index-node.js";
import { DERPMapSchema } from "../../../src/gen/coder/tailnet/v2/derp_map_pb.js";
import { Tailnet } from "../../../src/gen/coder/tailnet/v2/tailnet_pb.js";
import { createServiceClient } from "../../../src/rpc/index.js";
import type { TestPlane } from "../../../src/testing/index.js";
import { failure } from "../../support/echo.js";
import { testPlane } from "../../support/test-plane.js";

async function dialled(plane: TestPlane, options: Partial<Parameters<typeof dialAgent>[0]> = {}) {
  const connection = await dialAgent({ ...plane.agent.target, proxy: false, ...options });
  onTestFinished(() => connection.close());
  return connection;
}

describe("the client of the agent service alone", () => {
  it("makes calls on a connection that has no client of the tailnet service", async () => {
    const plane = await testPlane({ agent: { apps: [{ slug: "claude" }] } });
    const connection = await dialled(plane, { role: "reporter" });
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
    expect(await plane.agent.appStatuses()).toMatchObject([{ slug: "claude", message: "waiting" }]);
    expect(connection.supports("pushContextState")).toBe(true);
  });

  it("reads the relay map of a manifest as the whole client does", async () => {
    const node = { name: "1a", regionId: 1n, hostName: "relay.example" };
    const derpMap = create(DERPMapSchema, {
      homeParams: {},
      regions: { "1": { regionId: 1n, regionCode: "one", nodes: [node] } },
    });
    const plane = await testPlane({ derpMap });
    const alone = await dialled(plane);
    const whole = await everything.dialAgent({ ...plane.agent.target, proxy: false });
    onTestFinished(() => whole.close());
    const manifest = await alone.agent.getManifest({});
    expect(manifest.derpMap?.regions["1"]?.nodes[0]?.hostName).toBe("relay.example");
    expect(manifest).toEqual(await whole.agent.getManifest({}));
  });

  it("calls other services over the transport of the connection", async () => {
    const plane = await testPlane();
    const { transport } = await dialled(plane);
    const maps = createServiceClient(Tailnet, transport).streamDERPMaps({});
    for await (const map of maps) {
      expect(map.$typeName).toBe("coder.tailnet.v2.DERPMap");
      break;
    }
  });

  it("keeps a session with senders going over connections", async () => {
    const plane = await testPlane();
    const logs = new LogSender();
    const session = connectAgent({
      ...plane.agent.target,
      proxy: false,
      backoff: { firstMs: 1 },
      senders: [logs],
    });
    onTestFinished(async () => void (await session.close()));
    const first = await session.connected();
    expect(first).not.toHaveProperty("tailnet");
    plane.cut();
    await logs.send(externalLogSourceId, [{ output: "over the second connection" }]);
    await plane.agent.expectLogs("over the second connection");
    expect(plane.dials()).toHaveLength(2);
    expect(await session.close()).toEqual({ error: undefined, unsent: [] });
  });

  it("fails with the errors of the whole client, which has all of its names", async () => {
    const plane = await testPlane();
    const refused = await failure(dialAgent({ url: plane.url, token: "wrong", proxy: false }));
    expect(refused).toBeInstanceOf(DialError);
    expect(DialError).toBe(everything.DialError);
    expect(UnsupportedByServerError).toBe(everything.UnsupportedByServerError);
    const alone = Object.keys(await import("../../../src/client/agent/index-node.js"));
    expect(Object.keys(everything)).toEqual(expect.arrayContaining(alone));
  });
});
