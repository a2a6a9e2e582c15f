import { createServer, type Server, type Socket } from "node:net";
import type { AgentClient } from "../../client/index-node.js";
import { agentSocketCodecs } from "../../gen/coder/agentsocket/v1/agentsocket_codec.js";
import { AgentSocket as AgentSocketService } from "../../gen/coder/agentsocket/v1/agentsocket_pb.js";
import { createRpcTable, type RpcError, type RpcTable, serveStream } from "../../rpc/index.js";
import { type ByteConnection, connectionStream, socketConnection } from "../../transport/index-node.js";
import type { SocketFile } from "../socket-file.js";
import { UnitGraph } from "../units/index.js";
import { contextRoutes } from "./context-routes.js";
import type { ContextService } from "./context-service.js";
import { listenOn } from "./listen.js";
import { defaultAgentSocketPath } from "./socket-path.js";
import { unitRoutes } from "./unit-routes.js";

/** What the socket needs of a connection to the control plane: its `agent`. */
export type AppStatusClient = Pick<AgentClient, "updateAppStatus">;

/** How an agent socket is made. */
export interface AgentSocketOptions {
  /** The socket's file, or the name of a Windows pipe; {@link defaultAgentSocketPath} by default. C5.2. */
  path?: string;
  /** The units; a new graph by default. It lives as long as the socket. C5.8. */
  units?: UnitGraph;
  /** Answers the context RPCs; without it they say `context manager not available`. C5.19. */
  context?: ContextService;
  /** Connections at the same time, and so calls; 256 by default. More are closed at once. */
  maxConnections?: number;
  /** Told of each connection that was ended because its bytes were not dRPC. */
  onProtocolError?: (error: RpcError) => void;
}

/** What an agent offers to the programs on its machine: `coder.agentsocket.v1.AgentSocket`. */
export interface AgentSocketServer extends AsyncDisposable {
  readonly path: string;
  readonly units: UnitGraph;
  readonly connectionCount: number;
  /** Connections that were one too many, so far. */
  readonly refusedConnections: number;

  /** Where UpdateAppStatus goes from now on; undefined while the agent is not connected. C5.16. */
  setControlPlane(agent: AppStatusClient | undefined): void;

  /** Who answers the context RPCs from now on. */
  setContext(context: ContextService | undefined): void;

  /** Takes no more connections, ends all that there are, waits for that, and removes the file. C5.5. */
  close(): Promise<void>;
}

/**
 * Listens for the programs on this machine: plain dRPC on a Unix socket that only the own user may open, one call at a
 * time on each connection. There is no token: C5.1 to C5.5.
 * @throws Error `create socket: …` when somebody listens there already, or it cannot be.
 */
export async function createAgentSocket(options: AgentSocketOptions = {}): Promise<AgentSocketServer> {
  const socket = new LocalSocket(options);
  await socket.listen();
  return socket;
}

class LocalSocket implements AgentSocketServer {
  readonly path: string;
  readonly units: UnitGraph;
  readonly #server: Server;
  readonly #table: RpcTable;
  readonly #onProtocolError: ((error: RpcError) => void) | undefined;
  readonly #connections = new Map<ByteConnection, Promise<unknown>>();
  #file: SocketFile | undefined;
  #refusedConnections = 0;
  #controlPlane: AppStatusClient | undefined;
  #context: ContextService | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: AgentSocketOptions) {
    this.path = options.path || defaultAgentSocketPath();
    this.units = options.units ?? new UnitGraph();
    this.#context = options.context;
    this.#onProtocolError = options.onProtocolError;
    this.#table = createRpcTable(
      (router) =>
        router.service(AgentSocketService, {
          ping: () => ({}),
          ...unitRoutes(this.units),
          ...contextRoutes(() => this.#context),
          updateAppStatus: (request, { signal }) => {
            if (this.#controlPlane === undefined) throw new Error("agent not connected to coderd");
            return this.#controlPlane.updateAppStatus(request, { signal });
          },
        }),
      { codecs: agentSocketCodecs },
    );
    this.#server = createServer((socket) => this.#serve(socket));
    this.#server.maxConnections = options.maxConnections ?? 256;
    this.#server.on("drop", () => this.#refusedConnections++);
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  get refusedConnections(): number {
    return this.#refusedConnections;
  }

  async listen(): Promise<void> {
    this.#file = await listenOn(this.#server, this.path);
    // what goes wrong with accepting one connection is no reason to accept no more
    this.#server.on("error", () => this.#refusedConnections++);
  }

  setControlPlane(agent: AppStatusClient | undefined): void {
    this.#controlPlane = agent;
  }

  setContext(context: ContextService | undefined): void {
    this.#context = context;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #serve(socket: Socket): void {
    const connection = socketConnection(socket, this.path);
    // a client that asks and does not read is not read either
    const stream = connectionStream(connection, { pausesWhileFull: true });
    const ended = stream.closed.then(() => this.#connections.delete(connection));
    this.#connections.set(connection, ended);
    serveStream(
      stream,
      this.#table,
      this.#onProtocolError === undefined ? {} : { onProtocolError: this.#onProtocolError },
    );
  }

  async #close(): Promise<void> {
    const closed = this.#file?.close(this.#server);
    const ended = [...this.#connections.values()];
    for (const connection of [...this.#connections.keys()]) connection.abort();
    await Promise.all([closed, ...ended]);
  }
}
