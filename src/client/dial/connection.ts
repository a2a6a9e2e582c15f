import type { CallOptions, Client } from "@connectrpc/connect";
import { joinCodecs } from "../../codec/index.js";
import { agentCallerCodecs } from "../../gen/coder/agent/v2/agent_codec.js";
import { Agent } from "../../gen/coder/agent/v2/agent_pb.js";
import { tailnetCallerCodecs } from "../../gen/coder/tailnet/v2/tailnet_codec.js";
import { createServiceClient, type DrpcTransportOptions } from "../../rpc/index.js";
import type { YamuxSession } from "../../transport/index.js";
import type { AgentMethodsOf, ApiVersion, ApiVersionText } from "../../version/index.js";
import { Capabilities } from "../compat/capabilities.js";
import type { ShimChoice } from "../compat/shims/index.js";
import { type AgentHttpOptions, type AgentRequest, agentRequest } from "../http/agent-request.js";
import { BareConnection, type NewestVersionText, type TailnetConnection } from "./tailnet-connection.js";

/** A connection of an agent, or beside one: with clients of both services. */
export interface AgentConnection<V extends ApiVersionText = NewestVersionText> extends TailnetConnection<V> {
  readonly role: string;

  /** `coder.agent.v2.Agent`, with the methods of the version. Leaving a `for await` over answers cancels the call. */
  readonly agent: Pick<Client<typeof Agent>, AgentMethodsOf<V>>;
}

/** How calls are made on a connection. */
export interface AgentConnectionOptions extends DrpcTransportOptions {
  /** Which older ways are taken where the server does not have an RPC; all by default. */
  shims?: ShimChoice;
  /** Where requests beside the connection go; without it, older ways over HTTP are not taken. */
  http?: Pick<AgentHttpOptions, "url" | "token" | "headers" | "fetch">;
}

/** What a connection is. */
interface Facts {
  version: ApiVersion;
  role: string;
}

/** Of all messages of a connection's services. */
const connectionCodecs = /*@__PURE__*/ joinCodecs(agentCallerCodecs, tailnetCallerCodecs);

/** Puts a connection on a session. */
export function createAgentConnection<V extends ApiVersionText>(
  session: YamuxSession,
  facts: Facts,
  options: AgentConnectionOptions,
): AgentConnection<V> {
  let connection: Connection | undefined;
  const agent = () => {
    if (connection === undefined) throw new Error("the connection is not made yet");
    return connection.agent;
  };
  const capabilities = capabilitiesOf(facts.version, agent, options);
  connection = new Connection(session, facts, options, capabilities);
  return connection as AgentConnection<ApiVersionText> as AgentConnection<V>;
}

class Connection extends BareConnection implements AgentConnection {
  readonly role: string;
  readonly #agentHooks: Capabilities;
  #agent: Client<typeof Agent> | undefined;

  constructor(
    session: YamuxSession,
    { version, role }: Facts,
    options: AgentConnectionOptions,
    capabilities: Capabilities,
  ) {
    super(session, version, { codecs: connectionCodecs, ...options }, capabilities);
    this.role = role;
    this.#agentHooks = capabilities;
  }

  get agent(): Client<typeof Agent> {
    this.#agent ??= createServiceClient(Agent, this.transport, this.#agentHooks);
    return this.#agent;
  }
}

/** The token stays in here, where nobody who prints a connection sees it. */
function capabilitiesOf(
  version: ApiVersion,
  agent: () => Client<typeof Agent>,
  { shims, http, defaultTimeoutMs }: AgentConnectionOptions,
): Capabilities {
  const request =
    (options: NonNullable<typeof http>) =>
    (what: AgentRequest, call: CallOptions = {}) =>
      agentRequest({ ...options, signal: call.signal, timeoutMs: call.timeoutMs ?? defaultTimeoutMs }, what);
  return new Capabilities({ version, choice: shims, agent, http: http && request(http) });
}
