import type { DescService } from "@bufbuild/protobuf";
import type { Client, Transport } from "@connectrpc/connect";
import { createDrpcTransport, createServiceClient, type DrpcTransportOptions } from "../../rpc/index.js";
import type { TransportError, YamuxSession } from "../../transport/index.js";
import type { ApiMethod, ApiVersion } from "../../version/index.js";
import type { Capabilities } from "../compat/capabilities.js";

/** The newest version, which a negotiated connection is typed to. */
export type NewestVersionText = "2.10";

/** A connection to a control plane: the session of one WebSocket. */
export interface Connection extends AsyncDisposable {
  /** The version that the server has agreed to. */
  readonly version: ApiVersion;

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

/** What all connections to a control plane have. */
export class BareConnection implements Connection {
  readonly version: ApiVersion;
  readonly transport: Transport;
  readonly session: YamuxSession;
  readonly #capabilities: Capabilities;

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

  /** A client on it. */
  protected clientOf<S extends DescService>(service: S): Client<S> {
    return createServiceClient(service, this.transport, this.#capabilities);
  }
}
