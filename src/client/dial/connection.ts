import type { Client, Transport } from "@connectrpc/connect";
import { Agent } from "../../gen/coder/agent/v2/agent_pb.js";
import { Tailnet } from "../../gen/coder/tailnet/v2/tailnet_pb.js";
import { createDrpcTransport, createServiceClient, type DrpcTransportOptions } from "../../rpc/index.js";
import type { TransportError, YamuxSession } from "../../transport/index.js";
import {
  type AgentMethodsOf,
  type ApiMethod,
  type ApiVersion,
  type ApiVersionText,
  type TailnetMethodsOf,
  versionHas,
} from "../../version/index.js";

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
   * True when the version promises a method. The version is checked once, when dialling, and switches nothing off:
   * a server may have a later method early.
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

/** Puts a connection on a session. */
export function createAgentConnection<V extends ApiVersionText>(
  session: YamuxSession,
  facts: { version: ApiVersion; role: string },
  options: DrpcTransportOptions,
): AgentConnection<V> {
  return new Connection(session, facts, options) as AgentConnection<ApiVersionText> as AgentConnection<V>;
}

class Connection implements AgentConnection {
  readonly version: ApiVersion;
  readonly role: string;
  readonly transport: Transport;
  readonly session: YamuxSession;
  #agent: Client<typeof Agent> | undefined;
  #tailnet: Client<typeof Tailnet> | undefined;

  constructor(
    session: YamuxSession,
    facts: { version: ApiVersion; role: string },
    options: DrpcTransportOptions,
  ) {
    this.session = session;
    this.version = facts.version;
    this.role = facts.role;
    this.transport = createDrpcTransport(session, options);
  }

  get agent(): Client<typeof Agent> {
    this.#agent ??= createServiceClient(Agent, this.transport);
    return this.#agent;
  }

  get tailnet(): Client<typeof Tailnet> {
    this.#tailnet ??= createServiceClient(Tailnet, this.transport);
    return this.#tailnet;
  }

  get closed(): Promise<TransportError> {
    return this.session.closed;
  }

  supports(method: ApiMethod): boolean {
    return versionHas(this.version, method);
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
}
