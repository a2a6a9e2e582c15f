import type { Client } from "@connectrpc/connect";
import { describe, expectTypeOf, it } from "vitest";
import {
  type Agent,
  type AgentConnection,
  AppStatusState,
  dialAgent,
  type Manifest,
  type Tailnet,
} from "../../../src/client/index-node.js";

const url = "http://127.0.0.1:1";
const token = "";

describe("the type of a connection", () => {
  it("has all methods when it is negotiated, and when it is of the newest version", () => {
    const negotiated = dialAgent({ url, token });
    expectTypeOf(negotiated).resolves.toEqualTypeOf<AgentConnection<"2.10">>();
    expectTypeOf(dialAgent({ url, token, version: "negotiate" })).resolves.toEqualTypeOf<AgentConnection>();
    expectTypeOf<AgentConnection["agent"]>().toEqualTypeOf<
      Pick<Client<typeof Agent>, keyof Client<typeof Agent>>
    >();
    expectTypeOf<AgentConnection["tailnet"]>().toEqualTypeOf<
      Pick<Client<typeof Tailnet>, keyof Client<typeof Tailnet>>
    >();
  });

  it("has only the methods of its version", () => {
    type Methods<V extends Parameters<typeof versioned>[0]> = keyof AgentConnection<V>["agent"];
    expectTypeOf<"updateAppStatus">().not.toExtend<Methods<"2.3">>();
    expectTypeOf<"updateAppStatus">().not.toExtend<Methods<"2.7">>();
    expectTypeOf<"updateAppStatus">().toExtend<Methods<"2.8">>();
    expectTypeOf<"scriptCompleted">().not.toExtend<Methods<"2.2">>();
    expectTypeOf<"scriptCompleted">().toExtend<Methods<"2.3">>();
    expectTypeOf<"pushContextState">().not.toExtend<Methods<"2.9">>();
    expectTypeOf<Methods<"2.0">>().toEqualTypeOf<
      | "getManifest"
      | "getServiceBanner"
      | "updateStats"
      | "updateLifecycle"
      | "batchUpdateAppHealths"
      | "updateStartup"
      | "batchUpdateMetadata"
      | "batchCreateLogs"
    >();
    expectTypeOf<keyof AgentConnection<"2.1">["tailnet"]>().toEqualTypeOf<"streamDERPMaps" | "coordinate">();
    expectTypeOf<keyof AgentConnection<"2.2">["tailnet"]>().toEqualTypeOf<
      "streamDERPMaps" | "coordinate" | "postTelemetry"
    >();
  });

  it("makes a call that the version lacks a mistake when compiling", async () => {
    const connection = await dialAgent({ url, token, version: "2.3" });
    // @ts-expect-error 2.3 has no updateAppStatus
    void connection.agent.updateAppStatus({ slug: "x", state: AppStatusState.IDLE });
    expectTypeOf(connection.agent.getManifest({})).resolves.toEqualTypeOf<Manifest>();
  });

  it("takes only versions that there are", () => {
    // @ts-expect-error there is no 2.11
    void dialAgent({ url, token, version: "2.11" });
    // @ts-expect-error there is no 1.0
    void dialAgent({ url, token, version: "1.0" });
  });

  it("makes the token and the URL a must", () => {
    // @ts-expect-error no token
    void dialAgent({ url });
    // @ts-expect-error no URL
    void dialAgent({ token });
  });
});

function versioned(version: "2.0" | "2.1" | "2.2" | "2.3" | "2.7" | "2.8" | "2.9" | "2.10"): void {
  void version;
}
