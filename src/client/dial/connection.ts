import type { CallOptions, Client, Transport } from "@connectrpc/connect";
import { joinCodecs } from "../../codec/index.js";
import { agentCallerCodecs } from "../../gen/coder/agent/v2/agent_codec.js";
import { Agent } from "../../gen/coder/agent/v2/agent_pb.js";
import { tailnetCallerCodecs } from "../../gen/coder/tailnet/v2/tailnet_codec.js";
import { Tailnet } from "../../gen/coder/tailnet/v2/tailnet_pb.js";
import { createDrpcTransport, createServiceClient, type DrpcTransportOptions } from "../../rpc/index.js";
import type { TransportError, YamuxSession } from "../../transport/index.js";
import type {
  AgentMethodsOf,
  ApiMethod,
  ApiVersion,
  ApiVersionText,
  TailnetMethodsOf,
} from "../../version/index.js";
import { Capabilities } from "../compat/capabilities.js";
import type { ShimChoice } from "../compat/shims/index.js";
import { type AgentHttpOptions, type AgentRequest, agentRequest } from "../http/agent-request.js";

/** The newest version, which a negotiated connection is typed to. */
export type NewestVersionText = "2.10";

/** A connection to a control plane: the session of one WebSocket, and clients of its services. */
export interface AgentConnection<V extends ApiVersionText = NewestVersionText> extends AsyncDisposable {
  /** The version that the server has agreed to. */
  readonly version: ApiVersion;
  readonly role: string;

  /** `coder.agent.v2.Agent`, with the methods of the version. Leaving a `for await` over answers cancels the call. */
  readonly agent: Pick<Client<typeof Agent>, AgentMethodsOf<V>>;

  /** `coder.tailnet.v2.Tailnet`, with the methods of the version. */
  readonly tailnet: Pick<Client<typeof Tailnet>, TailnetMethodsOf<V>>;

  /** For clients of other services, and for Connect's `createClient`. */
  readonly transport: Transport;

  /** The session under it. */
  readonly session: YamuxSession;

  /** Resolves when the connection has ended, with the reason. Never rejects. */
  readonly closed: Promise<TransportError>;

  /**
   * True when the version promises a method, and the server has not answered so far that it does not have it. A
   * later method is tried all the same: a server may have it early. And a call may work without: see
   * {@link DialOptions.shims}. C1.25, C7.19.
   */
  supports(method: ApiMethod): boolean;

  /** Asks the server for a sign of life. @returns the round trip in milliseconds. */
  ping(): Promise<number>;

  /**
   * Ends the connection in order: no new calls, then those under way as long as given, then the socket.
   * @param options.timeoutMs how long to wait for calls under way; 0 by default.
   */
  close(options?: { timeoutMs?: number }): Promise<void>;
}

/** How calls are made on a connection. */
export interface AgentConnectionOptions extends DrpcTransportOptions {
  /** Which older ways are taken where the server does not have an RPC; all by default. */
  shims?: ShimChoice;
  /** Where requests beside the connection go; without it, older ways over HTTP are not taken. */
  http?: Pick<AgentHttpOptions, "url" | "token" | "headers" | "fetch">;
}

/** Of all messages of a connection's services. */
const connectionCodecs = /*@__PURE__*/ joinCodecs(agentCallerCodecs, tailnetCallerCodecs);

/** Puts a connection on a session. */
export function createAgentConnection<V extends ApiVersionText>(
  session: YamuxSession,
  facts: { version: ApiVersion; role: string },
  options: AgentConnectionOptions,
): AgentConnection<V> {
  return new Connection(session, facts, options) as AgentConnection<ApiVersionText> as AgentConnection<V>;
}

class Connection implements AgentConnection {
  readonly version: ApiVersion;
  readonly role: string;
  readonly transport: Transport;
  readonly session: YamuxSession;
  readonly #capabilities: Capabilities;
  #agent: Client<typeof Agent> | undefined;
  #tailnet: Client<typeof Tailnet> | undefined;

  constructor(
    session: YamuxSession,
    facts: { version: ApiVersion; role: string },
    options: AgentConnectionOptions,
  ) {
    this.session = session;
    this.version = facts.version;
    this.role = facts.role;
    this.transport = createDrpcTransport(session, { codecs: connectionCodecs, ...options });
    this.#capabilities = this.#capabilitiesWith(options);
  }

  get agent(): Client<typeof Agent> {
    this.#agent ??= createServiceClient(Agent, this.transport, this.#capabilities);
    return this.#agent;
  }

  get tailnet(): Client<typeof Tailnet> {
    this.#tailnet ??= createServiceClient(Tailnet, this.transport, this.#capabilities);
    return this.#tailnet;
  }

  get closed(): Promise<TransportError> {
    return this.session.closed;
  }

  supports(method: ApiMethod): boolean {
    return this.#capabilities.supports(method);
  }

  ping(): Promise<number> {
    return this.session.ping();
  }

  close(options: { timeoutMs?: number } = {}): Promise<void> {
    return this.session.close(options.timeoutMs);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The token stays in here, where nobody who prints a connection sees it. */
  #capabilitiesWith({ shims, http, defaultTimeoutMs }: AgentConnectionOptions): Capabilities {
    const request =
      (options: NonNullable<typeof http>) =>
      (what: AgentRequest, call: CallOptions = {}) =>
        agentRequest(
          { ...options, signal: call.signal, timeoutMs: call.timeoutMs ?? defaultTimeoutMs },
          what,
        );
    return new Capabilities({
      version: this.version,
      choice: shims,
      agent: () => this.agent,
      http: http && request(http),
    });
  }
}
