import { connect, type Socket } from "node:net";
import { type Client, Code, type Interceptor, type Transport } from "@connectrpc/connect";
import { agentSocketCallerCodecs } from "../../gen/coder/agentsocket/v1/agentsocket_codec.js";
import { AgentSocket } from "../../gen/coder/agentsocket/v1/agentsocket_pb.js";
import { errorText } from "../../rpc/error-text.js";
import {
  type ConversationSource,
  createConversationSource,
  createDrpcTransport,
  createServiceClient,
  RpcError,
} from "../../rpc/index.js";
import { type ConnectionStream, connectionStream, socketConnection } from "../../transport/index-node.js";
import { socketPathComplaint } from "../local-socket.js";
import { defaultAgentSocketPath } from "./socket-path.js";

/** How an agent socket is dialled. */
export interface DialAgentSocketOptions {
  /** The agent's socket; {@link defaultAgentSocketPath} by default. */
  path?: string;
  /** Ends the attempt to connect; the connection stays without it. C5.6. */
  signal?: AbortSignal;
  /** Connections at the same time: each has one call at a time. 8 by default; more calls wait. */
  maxConnections?: number;
  /** Calls that wait for a connection; 1,024 by default. More are refused. */
  maxWaitingCalls?: number;
  /** Deadline of calls that have none of their own; none by default. */
  defaultTimeoutMs?: number;
  interceptors?: Interceptor[];
}

/** A client of an agent on this machine. */
export interface AgentSocketConnection extends AsyncDisposable {
  readonly path: string;

  /**
   * The calls of the socket. They may be made at the same time: more connections are opened for them, and closed when
   * they are idle. When the agent has gone, a call fails; the next one connects again.
   */
  readonly agentSocket: Client<typeof AgentSocket>;

  /** For Connect's `createClient`. */
  readonly transport: Transport;

  /** Ends all connections, and the calls on them. */
  close(): Promise<void>;
}

/**
 * Connects to the socket of the agent on this machine.
 * @throws RpcError `connect to socket: …` when nobody listens there (C5.6); the signal's reason when that ends.
 */
export async function dialAgentSocket(options: DialAgentSocketOptions = {}): Promise<AgentSocketConnection> {
  const connection = new LocalConnection(options);
  await connection.connect(options.signal);
  return connection;
}

class LocalConnection implements AgentSocketConnection {
  readonly path: string;
  readonly agentSocket: Client<typeof AgentSocket>;
  readonly transport: Transport;
  readonly #source: ConversationSource;
  readonly #open = new Set<ConnectionStream>();

  constructor(options: DialAgentSocketOptions) {
    this.path = options.path || defaultAgentSocketPath();
    const { maxConnections, maxWaitingCalls, defaultTimeoutMs, interceptors } = options;
    this.#source = createConversationSource({
      dial: (signal) => this.#dial(signal),
      ...(maxConnections === undefined ? {} : { maxStreams: maxConnections }),
      ...(maxWaitingCalls === undefined ? {} : { maxWaitingCalls }),
    });
    this.transport = createDrpcTransport(this.#source, {
      codecs: agentSocketCallerCodecs,
      ...(defaultTimeoutMs === undefined ? {} : { defaultTimeoutMs }),
      ...(interceptors === undefined ? {} : { interceptors }),
    });
    this.agentSocket = createServiceClient(AgentSocket, this.transport);
  }

  connect(signal: AbortSignal | undefined): Promise<void> {
    return this.#source.connect(signal);
  }

  async close(): Promise<void> {
    this.#source.close();
    await Promise.all([...this.#open].map(({ closed }) => closed));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #dial(signal: AbortSignal): Promise<ConnectionStream> {
    const socket = await openSocket(this.path, signal);
    const stream = connectionStream(socketConnection(socket, this.path));
    this.#open.add(stream);
    void stream.closed.then(() => this.#open.delete(stream));
    return stream;
  }
}

/** @throws RpcError `connect to socket: …`; the signal's reason when that ends. */
function openSocket(path: string, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const complaint = socketPathComplaint(path);
    if (complaint !== undefined) {
      reject(cannotConnect(complaint));
      return;
    }
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const socket = connect(path);
    const onAbort = () => {
      socket.destroy();
      reject(signal.reason);
    };
    const onError = (error: Error) => {
      signal.removeEventListener("abort", onAbort);
      reject(cannotConnect(errorText(error), error));
    };
    signal.addEventListener("abort", onAbort, { once: true });
    socket.once("error", onError);
    socket.once("connect", () => {
      signal.removeEventListener("abort", onAbort);
      socket.off("error", onError);
      resolve(socket);
    });
  });
}

function cannotConnect(reason: string, cause?: unknown): RpcError {
  return new RpcError(`connect to socket: ${reason}`, Code.Unavailable, { layer: "dial", cause });
}
