import { once } from "node:events";
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { nilUuid } from "../codec/index.js";
import {
  type ControlPlaneStore,
  type DefinedAgent,
  MemoryStore,
  type WorkspaceDefinition,
} from "../store/index.js";
import { createAdminApi } from "./admin/admin-api.js";
import { OpenSessions } from "./admin/open-sessions.js";
import { type AgentApi, type AgentApiOptions, createAgentApi } from "./agent-api.js";
import { ApiError } from "./api-error.js";
import { type Events, LocalEvents, ObservedEvents } from "./events/index.js";
import { runHook, silentLogger } from "./hooks.js";
import { createPage } from "./page/page.js";
import { Probes } from "./probes.js";
import { sameToken } from "./same-token.js";

/** How a control plane is started. */
export interface ControlPlaneOptions extends Omit<AgentApiOptions, "store" | "events"> {
  /** Where things are kept; in memory by default. The control plane closes it. */
  store?: ControlPlaneStore;
  /** How its parts hear of each other, and of other control planes on the same store. The control plane closes it. */
  events?: Events;
  /**
   * Who has it may use the admin API, `agentwire.admin.v1.AdminService`, and with it the page at `/`. Without one there
   * is neither.
   */
  adminToken?: string;
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
  readonly store: ControlPlaneStore;
  /** With everything that this control plane publishes to be seen. */
  readonly events: ObservedEvents;
  readonly api: AgentApi;
  /** Says on `/readyz` that no more requests should come; those that do are answered. */
  drain(): void;
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
 * Starts an embedded control plane: one port for HTTP/1.1, WebSocket and HTTP/2 without TLS (gRPC). `/healthz` answers
 * as long as the process does, `/readyz` as long as it should get requests.
 * @throws when the port cannot be listened on; StoreConflict for workspaces that have something twice. Store and
 * events are closed then.
 */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const store = options.store ?? new MemoryStore();
  const events = new ObservedEvents(options.events ?? new LocalEvents());
  try {
    return await start(options, store, events);
  } catch (error) {
    await events.close();
    await store.close();
    throw error;
  }
}

async function start(
  { host = "127.0.0.1", port = 0, workspaces = [], adminToken, ...apiOptions }: ControlPlaneOptions,
  store: ControlPlaneStore,
  events: ObservedEvents,
): Promise<ControlPlane> {
  const {
    monitor,
    serverVersion,
    streamPingIntervalMs,
    nowUs = () => Date.now() * 1000,
    log = silentLogger,
  } = apiOptions;
  const sessions = new OpenSessions();
  const admin =
    adminToken === undefined
      ? undefined
      : createAdminApi({
          store,
          events,
          token: adminToken,
          sessions,
          monitor,
          serverVersion,
          streamPingIntervalMs,
          nowUs,
        });
  const page = admin === undefined ? undefined : createPage();
  const agents = await store.define(workspaces);
  const authenticateUser = adminToken === undefined ? undefined : readerWith(adminToken);
  const api = createAgentApi({
    ...(authenticateUser && { authenticateUser }),
    ...apiOptions,
    store,
    events,
    onSession(who, connection) {
      const end = sessions.add(who, connection, nowUs());
      let onEnd: (() => void) | undefined;
      void runHook(log, "onSession", () => {
        onEnd = apiOptions.onSession?.(who, connection);
      });
      return () => {
        end();
        onEnd?.();
      };
    },
  });
  const probes = new Probes(store);

  const handle = (request: IncomingMessage, response: ServerResponse) => {
    const takers = [probes, api, admin, page];
    if (!takers.some((taker) => taker?.handle(request, response))) response.writeHead(404).end();
  };
  const http1 = createHttpServer(handle);
  http1.on("upgrade", (request, socket, head) => {
    if (!api.upgrade(request, socket, head))
      socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
  });
  const http2 = createHttp2Server((request, response) => handle(request as never, response as never));

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
    drain: () => probes.drain(),
    async close(timeoutMs) {
      probes.drain();
      const closed = once(listener, "close");
      listener.close();
      await api.close(timeoutMs);
      await events.close();
      await store.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Whoever has the admin token may read everything about agents, and connect to all of them. */
function readerWith(adminToken: string): NonNullable<ControlPlaneOptions["authenticateUser"]> {
  const isRight = sameToken(adminToken);
  return ({ token = "" }) => {
    if (!isRight(token)) throw new ApiError(401, "The token is not the admin token.");
    return { id: nilUuid, mayRead: "everything", mayConnect: "everything" };
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
