import type { Client } from "@connectrpc/connect";
import { describe, expectTypeOf, it } from "vitest";
import {
  type Agent,
  type AgentConnection,
  type ApiVersion,
  type ApiVersionText,
  AppStatusState,
  dialAgent,
  type Manifest,
  type ShimName,
  type Tailnet,
} from "../../../src/client/index-node.js";
import { methodVersion } from "../../../src/version/index.js";

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

  it("C1.20 has as many methods as each version promises, of both services", () => {
    type Count<V extends ApiVersionText> = [
      UnionLength<keyof AgentConnection<V>["agent"]>,
      UnionLength<keyof AgentConnection<V>["tailnet"]>,
    ];
    expectTypeOf<Count<"2.0">>().toEqualTypeOf<[8, 2]>();
    expectTypeOf<Count<"2.1">>().toEqualTypeOf<[9, 2]>();
    expectTypeOf<Count<"2.2">>().toEqualTypeOf<[9, 3]>();
    expectTypeOf<Count<"2.3">>().toEqualTypeOf<[10, 5]>();
    expectTypeOf<Count<"2.4">>().toEqualTypeOf<[13, 5]>();
    expectTypeOf<Count<"2.5">>().toEqualTypeOf<[13, 5]>();
    expectTypeOf<Count<"2.6">>().toEqualTypeOf<[16, 5]>();
    expectTypeOf<Count<"2.7">>().toEqualTypeOf<[17, 5]>();
    expectTypeOf<Count<"2.8">>().toEqualTypeOf<[18, 5]>();
    expectTypeOf<Count<"2.9">>().toEqualTypeOf<[18, 5]>();
    expectTypeOf<Count<"2.10">>().toEqualTypeOf<[19, 5]>();
  });

  it("knows the version of a method", () => {
    expectTypeOf(methodVersion("updateAppStatus").minor).toEqualTypeOf<8>();
    expectTypeOf(methodVersion("workspaceUpdates").minor).toEqualTypeOf<3>();
    expectTypeOf(methodVersion("getManifest")).toExtend<ApiVersion>();
    // @ts-expect-error there is no such method
    void methodVersion("updateEverything");
  });

  it("takes the names of shims only", () => {
    expectTypeOf<ShimName>().toEqualTypeOf<
      "bannersFromServiceBanner" | "appStatusOverHttp" | "logsOverHttp" | "logLimitFromError"
    >();
    void (() => dialAgent({ url, token, shims: false }));
    void (() => dialAgent({ url, token, shims: { logsOverHttp: false } }));
    // @ts-expect-error there is no such shim
    void (() => dialAgent({ url, token, shims: { telepathy: false } }));
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

/** How many members a union has. */
type UnionLength<U, Seen extends unknown[] = []> = [U] extends [never]
  ? Seen["length"]
  : UnionLength<Exclude<U, LastOf<U>>, [...Seen, unknown]>;
type LastOf<U> = (U extends unknown ? (f: () => U) => void : never) extends (f: infer F) => void
  ? F extends () => infer Last
    ? Last
    : never
  : never;

function versioned(version: "2.0" | "2.1" | "2.2" | "2.3" | "2.7" | "2.8" | "2.9" | "2.10"): void {
  void version;
}
