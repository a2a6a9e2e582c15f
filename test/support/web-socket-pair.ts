import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { type ClientOptions, type ServerOptions, WebSocket, WebSocketServer } from "ws";

/** A WebSocket server that ends with the test. */
export async function webSocketServer(
  options: ServerOptions = {},
): Promise<{ server: WebSocketServer; url: string }> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false, ...options });
  await once(server, "listening");
  onTestFinished(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  return { server, url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/path?token=secret` };
}

/**
 * Two connected sockets.
 * @param onOpen made of each in the tick in which it opened.
 */
export async function webSocketPair<T>(
  onOpen: (socket: WebSocket, side: "client" | "server") => T,
  options: { client?: ClientOptions; server?: ServerOptions } = {},
): Promise<{ client: T; server: T; clientSocket: WebSocket; serverSocket: WebSocket }> {
  const { server, url } = await webSocketServer(options.server);
  const accepted = new Promise<[WebSocket, T]>((resolve) =>
    server.once("connection", (socket) => resolve([socket, onOpen(socket, "server")])),
  );
  const clientSocket = new WebSocket(url, { perMessageDeflate: false, ...options.client });
  const opened = new Promise<T>((resolve, reject) => {
    clientSocket.once("open", () => resolve(onOpen(clientSocket, "client")));
    clientSocket.once("error", reject);
  });
  const [[serverSocket, made], client] = await Promise.all([accepted, opened]);
  return { client, server: made, clientSocket, serverSocket };
}
