import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { RequestListener } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import { createServer, type Socket } from "node:net";
import { eventually } from "../../support/control-plane.js";
import { httpServer, listening } from "../../support/http-servers.js";

export function certificate(name: string): Buffer {
  return readFileSync(new URL(`../../fixtures/tls/${name}.pem`, import.meta.url));
}

/** An HTTPS server with a certificate of an authority that nobody knows; it ends with the test. */
export async function tlsServer(onRequest: RequestListener, more: ServerOptions = {}) {
  const options = { key: certificate("server.key"), cert: certificate("server"), ...more };
  const server = createTlsServer(options, onRequest);
  return { server, url: `https://127.0.0.1:${await listening(server)}` };
}

/** A proxy that gives every CONNECT the same answer. */
export async function refusingProxy(head: string): Promise<string> {
  const { server, url } = await httpServer();
  server.on("connect", (_request, socket) => socket.end(head));
  return url;
}

/** A server of bytes: each connection is given its first bytes, and then what the function says. */
export async function rawServer(onFirst: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => void once(socket, "data").then(() => onFirst(socket)));
  return `http://127.0.0.1:${await listening(server)}`;
}

/** A server that takes connections and what comes, and says nothing. */
export function deafServer(): Promise<string> {
  return rawServer(() => {});
}

/** The URL of a port where nothing listens. */
export async function closedPort(): Promise<string> {
  const { server, url } = await httpServer();
  await new Promise((resolve) => server.close(resolve));
  return url;
}

/** TCP connections of this process, of both sides. */
function openSockets(): number {
  return process.getActiveResourcesInfo().filter((kind) => /^(TCPSocketWrap|TLSWrap)$/.test(kind)).length;
}

/** Waits until no connection is there any more. */
export function noSockets(): Promise<void> {
  return eventually(() => openSockets() === 0, "the end of all sockets");
}
