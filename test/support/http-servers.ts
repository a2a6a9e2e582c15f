import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from "node:net";
import { onTestFinished } from "vitest";

/** Makes a server listen on a free port; it and its connections end with the test. */
export async function listening(server: TcpServer): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

/** An HTTP server that ends with the test. */
export async function httpServer(onRequest?: RequestListener): Promise<{ server: Server; url: string }> {
  const server = createServer(onRequest);
  return { server, url: `http://127.0.0.1:${await listening(server)}` };
}

/** An HTTP server that refuses every upgrade with the same answer. */
export async function refusingServer(status: number, body: string, contentType = "application/json") {
  const upgrades: { url: string; token: string | undefined }[] = [];
  const { server, url } = await httpServer();
  server.on("upgrade", (request, socket) => {
    upgrades.push({
      url: request.url ?? "",
      token: request.headers["coder-session-token"] as string | undefined,
    });
    const length = Buffer.byteLength(body);
    socket.end(
      `HTTP/1.1 ${status} X\r\nContent-Type: ${contentType}\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n${body}`,
    );
  });
  return { url, upgrades };
}

/** A proxy for CONNECT. Counts what goes through it. */
export async function connectProxy(): Promise<{ url: string; targets: string[]; authorizations: string[] }> {
  const targets: string[] = [];
  const authorizations: string[] = [];
  const { server, url } = await httpServer((_request, response) => response.writeHead(405).end());
  server.on("connect", (request, near: Socket, head: Buffer) => {
    targets.push(request.url ?? "");
    authorizations.push(request.headers["proxy-authorization"] ?? "");
    const [host = "", port = ""] = (request.url ?? "").split(":");
    const far = connect(Number(port), host, () => {
      near.write("HTTP/1.1 200 OK\r\n\r\n");
      far.write(head);
      near.pipe(far).pipe(near);
    });
    far.on("error", () => near.destroy());
    near.on("error", () => far.destroy());
    near.on("close", () => far.destroy());
    // with nobody to read it, its end would not be seen
    far.on("close", () => near.resume());
    onTestFinished(() => void far.destroy());
  });
  return { url, targets, authorizations };
}

/** A server that takes connections and says nothing. */
export async function silentServer(): Promise<{ url: string; server: TcpServer }> {
  const server = createTcpServer();
  return { server, url: `http://127.0.0.1:${await listening(server)}` };
}
