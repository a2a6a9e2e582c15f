import type { Client, Transport } from "@connectrpc/connect";
import { tailnetCallerCodecs } from "../../gen/coder/tailnet/v2/tailnet_codec.js";
import { Tailnet } from "../../gen/coder/tailnet/v2/tailnet_pb.js";
import { createDrpcTransport, createServiceClient, type DrpcTransportOptions } from "../../rpc/index.js";
import type { TransportError, YamuxSession } from "../../transport/index.js";
import type { ApiMethod, ApiVersion, ApiVersionText, TailnetMethodsOf } from "../../version/index.js";
import { Capabilities } from "../compat/capabilities.js";

/** The newest version, which a negotiated connection is typed to. */
export type NewestVersionText = "2.10";

/** A connection to a control plane: the session of one WebSocket, and a client of the tailnet service. */
export interface TailnetConnection<V extends ApiVersionText = NewestVersionText> extends AsyncDisposable {
  /** The version that the server has agreed to. */
  readonly version: ApiVersion;

  /**
   * `coder.tailnet.v2.Tailnet`, with the methods of the version. Leaving a `for await` over answers cancels the call.
   */
  readonly tailnet: Pick<Client<typeof Tailnet>, TailnetMethodsOf<V>>;

  /** For clients of other services, and for Connect's `createClient`. */
  readonly transport: Transport;

  /** The session under it. */
  readonly session: YamuxSession;

  /** Resolves when the connection has ended, with the reason. Never rejects. */
  readonly closed: Promise<TransportError>;

  /**
   * True when the version promises a method, and the server has not answered so far that it does not have it. A
   * later method is tried all the same: a server may have it early. And an agent's call may work without: see
   * `DialOptions.shims`. C1.25, C7.19.
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

/** Puts a connection for the tailnet service alone on a session. */
export function createTailnetConnection<V extends ApiVersionText>(
  session: YamuxSession,
  version: ApiVersion,
  options: DrpcTransportOptions,
): TailnetConnection<V> {
  const capabilities = new Capabilities({ version, choice: false, agent: noAgent, http: undefined });
  const connection = new BareConnection(
    session,
    version,
    { codecs: tailnetCallerCodecs, ...options },
    capabilities,
  );
  return connection as TailnetConnection<ApiVersionText> as TailnetConnection<V>;
}

/** What all connections to a control plane have. */
export class BareConnection implements TailnetConnection {
  readonly version: ApiVersion;
  readonly transport: Transport;
  readonly session: YamuxSession;
  readonly #capabilities: Capabilities;
  #tailnet: Client<typeof Tailnet> | undefined;

  constructor(
    session: YamuxSession,
    version: ApiVersion,
    options: DrpcTransportOptions,
    capabilities: Capabilities,
  ) {
    this.session = session;
    this.version = version;
    this.transport = createDrpcTransport(session, options);
    this.#capabilities = capabilities;
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
}

/** Without older ways nobody asks for it. */
function noAgent(): never {
  throw new Error("this connection has no calls of agents");
}
