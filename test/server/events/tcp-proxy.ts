import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** Something between a client and its server that can fail. */
export interface TcpProxy {
  /** The server's URL, by way of the proxy. */
  readonly url: string;
  /** What clients have said so far, as text of one byte per character. */
  said(): string;
  /** Connections that are open. */
  readonly connectionCount: number;
  /** Cuts all connections. */
  cut(): void;
  /** Connections that are open go on, but nothing passes any more in either direction. Later ones work. */
  stall(): void;
  /** Ends that. */
  resume(): void;
  /** Nobody gets through any more; connections that are open are cut. False ends that. */
  refuse(isRefusing: boolean): void;
  stop(): Promise<void>;
}

/** Starts a proxy on a free port of 127.0.0.1 in front of the server of a URL. */
export async function startTcpProxy(serverUrl: string): Promise<TcpProxy> {
  const target = new URL(serverUrl);
  const pairs = new Set<readonly [Socket, Socket]>();
  let said = "";
  let isRefusing = false;
  const proxy = createServer((client) => {
    client.on("error", () => client.destroy());
    if (isRefusing) {
      client.destroy();
      return;
    }
    const server = connect(Number(target.port), target.hostname);
    const pair = [client, server] as const;
    pairs.add(pair);
    client.on("data", (chunk: Buffer) => {
      said += chunk.toString("latin1");
      server.write(chunk);
    });
    server.on("data", (chunk: Buffer) => client.write(chunk));
    server.on("error", () => server.destroy());
    client.on("close", () => server.destroy());
    server.on("close", () => {
      client.destroy();
      pairs.delete(pair);
    });
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const address = proxy.address();
  const url = new URL(serverUrl);
  url.port = String(typeof address === "object" ? address?.port : "");
  const cut = () => {
    for (const [client] of pairs) client.destroy();
  };
  return {
    url: url.href,
    said: () => said,
    get connectionCount() {
      return pairs.size;
    },
    cut,
    stall() {
      for (const pair of pairs) for (const socket of pair) socket.pause();
    },
    resume() {
      for (const pair of pairs) for (const socket of pair) socket.resume();
    },
    refuse(value) {
      isRefusing = value;
      if (value) cut();
    },
    async stop() {
      proxy.close();
      cut();
      await once(proxy, "close");
    },
  };
}
