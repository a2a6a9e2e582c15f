import type { CallOptions, Client } from "@connectrpc/connect";
import { agentCallerCodecs } from "../../gen/coder/agent/v2/agent_codec.js";
import { Agent } from "../../gen/coder/agent/v2/agent_pb.js";
import type { DrpcTransportOptions } from "../../rpc/index.js";
import type { YamuxSession } from "../../transport/index.js";
import type { AgentMethodsOf, ApiVersion, ApiVersionText } from "../../version/index.js";
import { Capabilities } from "../compat/capabilities.js";
import type { ShimChoice } from "../compat/shims/index.js";
import { type AgentHttpOptions, type AgentRequest, agentRequest } from "../http/agent-request.js";
import { BareConnection, type Connection, type NewestVersionText } from "./connection.js";

/** A connection of an agent, or beside one, with a client of the agent service and of no other. */
export interface AgentOnlyConnection<V extends ApiVersionText = NewestVersionText> extends Connection {
  /** What it was dialled as: `"agent"`, or the role of a program beside one. */
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
export interface ConnectionFacts {
  /** The version that the server has agreed to. */
  version: ApiVersion;
  /** What it was dialled as. */
  role: string;
}

/** Puts a connection of one kind on a session. */
export type CreateConnection<C> = (
  session: YamuxSession,
  facts: ConnectionFacts,
  options: AgentConnectionOptions,
) => C;

/** Puts a connection for the agent service alone on a session. */
export function createAgentOnlyConnection<V extends ApiVersionText>(
  session: YamuxSession,
  facts: ConnectionFacts,
  options: AgentConnectionOptions,
): AgentOnlyConnection<V> {
  const own = { codecs: agentCallerCodecs, ...options };
  const connection = withCapabilities(
    facts,
    options,
    (capabilities) => new AgentAlone(session, facts, own, capabilities),
  );
  return connection as AgentOnlyConnection<ApiVersionText> as AgentOnlyConnection<V>;
}

/** What all connections of agents have. */
export class AgentAlone extends BareConnection implements AgentOnlyConnection {
  readonly role: string;
  #agent: Client<typeof Agent> | undefined;

  constructor(
    session: YamuxSession,
    { version, role }: ConnectionFacts,
    options: DrpcTransportOptions,
    capabilities: Capabilities,
  ) {
    super(session, version, options, capabilities);
    this.role = role;
  }

  get agent(): Client<typeof Agent> {
    this.#agent ??= this.clientOf(Agent);
    return this.#agent;
  }
}

/**
 * Makes a connection that knows its older ways, some of which make other calls on it. The token stays in there, where
 * nobody who prints a connection sees it.
 */
export function withCapabilities<C extends { readonly agent: Client<typeof Agent> }>(
  { version }: ConnectionFacts,
  { shims, http, defaultTimeoutMs }: AgentConnectionOptions,
  make: (capabilities: Capabilities) => C,
): C {
  let connection: C | undefined;
  const agent = () => {
    if (connection === undefined) throw new Error("the connection is not made yet");
    return connection.agent;
  };
  const request =
    (options: NonNullable<typeof http>) =>
    (what: AgentRequest, call: CallOptions = {}) =>
      agentRequest({ ...options, signal: call.signal, timeoutMs: call.timeoutMs ?? defaultTimeoutMs }, what);
  connection = make(new Capabilities({ version, choice: shims, agent, http: http && request(http) }));
  return connection;
}
