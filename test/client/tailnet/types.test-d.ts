import type { Client } from "@connectrpc/connect";
import { describe, expectTypeOf, it } from "vitest";
import {
  type AgentConnection,
  connectTailnet,
  dialTailnet,
  type Tailnet,
  type TailnetConnection,
  type TailnetPeers,
} from "../../../src/client/index-node.js";

const url = "http://127.0.0.1:1";
const token = "";

describe("the type of a connection to the tailnet service", () => {
  it("is of 2.3 by default, and of the version that was asked for", () => {
    expectTypeOf(dialTailnet({ url, token })).resolves.toEqualTypeOf<TailnetConnection<"2.3">>();
    expectTypeOf(dialTailnet({ url, token, version: "2.0" })).resolves.toEqualTypeOf<
      TailnetConnection<"2.0">
    >();
    expectTypeOf(
      dialTailnet({ url, token, version: "negotiate" }),
    ).resolves.toEqualTypeOf<TailnetConnection>();
  });

  it("has only the methods of its version, and none of agents", () => {
    expectTypeOf<keyof TailnetConnection<"2.0">["tailnet"]>().toEqualTypeOf<
      "streamDERPMaps" | "coordinate"
    >();
    expectTypeOf<keyof TailnetConnection<"2.3">["tailnet"]>().toEqualTypeOf<keyof Client<typeof Tailnet>>();
    expectTypeOf<TailnetConnection>().not.toHaveProperty("agent");
    expectTypeOf<AgentConnection>().toExtend<TailnetConnection>();
  });

  it("takes no role", () => {
    // @ts-expect-error the service knows none
    void (() => dialTailnet({ url, token, role: "agent" }));
    // @ts-expect-error it decides itself
    void (() => connectTailnet({ url, token, version: "2.3" }));
  });

  it("lets nobody change what is read", () => {
    expectTypeOf<TailnetPeers>().not.toHaveProperty("set");
  });
});
