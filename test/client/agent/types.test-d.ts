import { describe, expectTypeOf, it } from "vitest";
import * as web from "../../../src/client/agent/index.js";
import * as alone from "../../../src/client/agent/index-node.js";
import type * as whole from "../../../src/client/index-node.js";

const url = "http://127.0.0.1:1";
const token = "";

describe("the types of the client of the agent service alone", () => {
  it("have no client of the tailnet service", async () => {
    const connection = await alone.dialAgent({ url, token });
    expectTypeOf(connection).toEqualTypeOf<alone.AgentConnection>();
    // @ts-expect-error a connection of this entry has the agent service alone
    void connection.tailnet;
    expectTypeOf<keyof alone.AgentConnection>().toEqualTypeOf<
      Exclude<keyof whole.AgentConnection, "tailnet">
    >();
    expectTypeOf(web.dialAgent({ url, token })).resolves.toEqualTypeOf<alone.AgentConnection>();
  });

  it("have the methods of a version", () => {
    expectTypeOf(alone.dialAgent({ url, token, version: "2.3" })).resolves.toEqualTypeOf<
      alone.AgentConnection<"2.3">
    >();
    expectTypeOf<alone.AgentConnection<"2.3">["agent"]>().toEqualTypeOf<
      whole.AgentConnection<"2.3">["agent"]
    >();
  });

  it("take the connections of the whole client", () => {
    expectTypeOf<whole.AgentConnection>().toExtend<alone.AgentConnection>();
    expectTypeOf<whole.AgentConnection<"2.3">>().toExtend<alone.AgentConnection<"2.3">>();
    expectTypeOf<alone.AgentConnection>().not.toExtend<whole.AgentConnection>();
    expectTypeOf<whole.AgentOnlyConnection>().toEqualTypeOf<alone.AgentConnection>();
  });

  it("give sessions their connections", () => {
    const session = alone.connectAgent({
      url,
      token,
      onConnected: (connection) => {
        expectTypeOf(connection).toEqualTypeOf<alone.AgentConnection>();
      },
    });
    expectTypeOf(session).toEqualTypeOf<alone.ReconnectingSession>();
    expectTypeOf(session.connected()).resolves.toEqualTypeOf<alone.AgentConnection>();
    expectTypeOf<alone.SessionState>().toEqualTypeOf<whole.SessionState<alone.AgentConnection>>();
  });
});
