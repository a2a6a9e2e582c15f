import type { Client } from "@connectrpc/connect";
import { joinCodecs } from "../../codec/index.js";
import { agentCallerCodecs } from "../../gen/coder/agent/v2/agent_codec.js";
import { tailnetCallerCodecs } from "../../gen/coder/tailnet/v2/tailnet_codec.js";
import { Tailnet } from "../../gen/coder/tailnet/v2/tailnet_pb.js";
import type { YamuxSession } from "../../transport/index.js";
import type { ApiVersionText } from "../../version/index.js";
import {
  AgentAlone,
  type AgentConnectionOptions,
  type AgentOnlyConnection,
  type ConnectionFacts,
  withCapabilities,
} from "./agent-only-connection.js";
import type { NewestVersionText } from "./connection.js";
import type { TailnetConnection } from "./tailnet-connection.js";

/** A connection of an agent, or beside one: with clients of both services. */
export interface AgentConnection<V extends ApiVersionText = NewestVersionText>
  extends AgentOnlyConnection<V>,
    TailnetConnection<V> {}

/** Of all messages of a connection's services. */
const connectionCodecs = /*@__PURE__*/ joinCodecs(agentCallerCodecs, tailnetCallerCodecs);

/** Puts a connection on a session. */
export function createAgentConnection<V extends ApiVersionText>(
  session: YamuxSession,
  facts: ConnectionFacts,
  options: AgentConnectionOptions,
): AgentConnection<V> {
  const own = { codecs: connectionCodecs, ...options };
  const connection = withCapabilities(
    facts,
    options,
    (capabilities) => new AgentAndTailnet(session, facts, own, capabilities),
  );
  return connection as AgentConnection<ApiVersionText> as AgentConnection<V>;
}

class AgentAndTailnet extends AgentAlone implements AgentConnection {
  #tailnet: Client<typeof Tailnet> | undefined;

  get tailnet(): Client<typeof Tailnet> {
    this.#tailnet ??= this.clientOf(Tailnet);
    return this.#tailnet;
  }
}
