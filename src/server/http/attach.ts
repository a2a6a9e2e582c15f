import {
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
  STATUS_CODES,
} from "node:http";
import type { Server as HttpsServer } from "node:https";
import type { Duplex } from "node:stream";

/** A server of Node that requests come to. */
export type NodeServer = HttpServer | HttpsServer;

/** What takes the requests for some paths. */
export interface PathHandlers {
  wants(path: string): boolean;
  handle(request: IncomingMessage, response: ServerResponse): void;
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

type RequestListener = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * Puts handlers in front of those that a server has. Requests for paths that they do not want go where they went.
 * @returns what takes them off again.
 */
export function attachHandlers(server: NodeServer, handlers: PathHandlers): () => void {
  const others = server.listeners("request") as RequestListener[];
  const onRequest: RequestListener = (request, response) => {
    if (handlers.wants(pathOf(request))) handlers.handle(request, response);
    else if (others.length > 0) for (const other of others) other.call(server, request, response);
    else response.writeHead(404).end();
  };
  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (handlers.wants(pathOf(request))) handlers.upgrade(request, socket, head);
    // With another listener it is that one's; without, Node would leave the socket open for ever.
    else if (server.listenerCount("upgrade") === 1)
      socket.end(`HTTP/1.1 404 ${STATUS_CODES[404]}\r\nConnection: close\r\n\r\n`);
  };
  server.removeAllListeners("request");
  server.on("request", onRequest);
  server.on("upgrade", onUpgrade);
  return () => {
    server.off("upgrade", onUpgrade);
    if (!server.listeners("request").includes(onRequest)) return;
    server.off("request", onRequest);
    for (const other of others) server.on("request", other);
  };
}

/** The path of a request, without its query. */
export function pathOf(request: IncomingMessage): string {
  return (request.url ?? "/").split("?", 1)[0] ?? "/";
}
