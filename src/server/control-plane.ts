import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { type DefinedAgent, MemoryStore, type WorkspaceDefinition } from "../store/index.js";
import { type AgentApi, type AgentApiOptions, createAgentApi } from "./agent-api.js";
import { LocalEvents } from "./events/index.js";

/** How a control plane is started. */
export interface ControlPlaneOptions extends Omit<AgentApiOptions, "store" | "events"> {
  /** `127.0.0.1` by default. There is no TLS: put a proxy in front of it for the network. */
  host?: string;
  /** Any free port by default. */
  port?: number;
  /** Who may connect. */
  workspaces?: readonly WorkspaceDefinition[];
}

/** A control plane that runs. */
export interface ControlPlane {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** The agents that may connect, with their tokens. */
  readonly agents: readonly DefinedAgent[];
  readonly store: MemoryStore;
  readonly events: LocalEvents;
  readonly api: AgentApi;
  /**
   * Ends it in order: no new connections, then the sessions, then the port.
   * @param timeoutMs how long to wait for calls under way; 0 by default.
   */
  close(timeoutMs?: number): Promise<void>;
}

/** What every HTTP/2 connection begins with. */
const http2Preface = Buffer.from("PRI * HTTP/2.0\r\n");

/** A connection that says nothing for so long is closed. */
const firstByteTimeoutMs = 30_000;

/**
 * Starts an embedded control plane: one port for HTTP/1.1, WebSocket and HTTP/2 without TLS (gRPC). What agents send
 * is kept in memory.
 * @throws when the port cannot be listened on.
 */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const { host = "127.0.0.1", port = 0, workspaces = [], ...apiOptions } = options;
  const store = new MemoryStore();
  const agents = await store.define(workspaces);
  const events = new LocalEvents();
  const api = createAgentApi({ ...apiOptions, store, events });

  const http1 = createHttpServer((_request, response) => response.writeHead(404).end());
  api.attach(http1);
  const http2 = createHttp2Server((request, response) => {
    const handled = api.handle(request as never, response as never);
    if (!handled) response.writeHead(404).end();
  });

  const sockets = new Set<Socket>();
  const listener = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    handOver(socket, (first) =>
      first.subarray(0, http2Preface.length).equals(http2Preface) ? http2 : http1,
    );
  });
  listener.listen(port, host);
  await once(listener, "listening");
  const address = listener.address() as AddressInfo;
  const shownHost = address.family === "IPv6" ? `[${address.address}]` : address.address;

  return {
    url: `http://${shownHost}:${address.port}`,
    agents,
    store,
    events,
    api,
    async close(timeoutMs) {
      const closed = once(listener, "close");
      listener.close();
      await api.close(timeoutMs);
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

interface ConnectionTaker {
  emit(event: "connection", socket: Socket): boolean;
}

/** Looks at the first bytes of a connection and hands it, with them, to a server. */
function handOver(socket: Socket, choose: (first: Buffer) => ConnectionTaker): void {
  const giveUp = () => socket.destroy();
  socket.setTimeout(firstByteTimeoutMs, giveUp);
  socket.on("error", giveUp);
  socket.once("data", (first: Buffer) => {
    socket.pause();
    socket.setTimeout(0);
    socket.off("timeout", giveUp);
    socket.off("error", giveUp);
    socket.unshift(first);
    choose(first).emit("connection", socket);
    process.nextTick(() => socket.resume());
  });
}
