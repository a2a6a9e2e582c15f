import {
  type ClientRequest,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from "node:http";
import { request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { millisecondsBetween, wallClock } from "../../observe/event-sink.js";
import {
  ConnectionDecoder,
  type DecoderOptions,
  type Direction,
  type WireEvent,
  type WireListener,
} from "../../observe/index.js";
import { hideSecrets, type Redaction, showSecrets } from "../../observe/redact.js";
import { errorText } from "../../rpc/error-text.js";
import { passOn } from "./pass-on.js";
import { secretsOf } from "./request-secrets.js";
import { WebSocketTap } from "./web-socket-tap.js";

/** What a proxy is told. */
export interface ProxyOptions {
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** Where requests go on to; a path in it goes before theirs. */
  target: URL;
  /** Whether tokens and other secrets are told. */
  showSecrets: boolean;
  /** Told of everything. */
  onEvent: WireListener<WireEvent>;
}

/** A proxy that runs. */
export interface InspectProxy {
  /** `http://127.0.0.1:41234`. */
  readonly url: string;
  /** Ends all connections. */
  close(): Promise<void>;
}

/** Headers that are for one connection, and not for what is behind the proxy. */
const hopByHop = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Paths on which connections are yamux; on others they are only counted. */
const yamuxPaths = /\/(?:rpc|tailnet|coordinate)$/;

/**
 * Starts a proxy that tells what goes through it. Upgraded connections are passed on byte by byte, other requests as
 * they are.
 * @throws Error of Node where it cannot listen.
 */
export async function startProxy(options: ProxyOptions): Promise<InspectProxy> {
  const proxy = new RunningProxy(options);
  await proxy.listen();
  return proxy;
}

class RunningProxy implements InspectProxy {
  readonly #options: ProxyOptions;
  readonly #server: Server;
  /** Connections that have been upgraded, of both sides. */
  readonly #sockets = new Set<Duplex>();
  #connections = 0;
  #url = new URL("http://127.0.0.1");

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => this.#pass(request, response));
    this.#server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
  }

  get url(): string {
    return this.#url.origin;
  }

  async listen(): Promise<void> {
    const { host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, () => {
        this.#server.off("error", reject);
        const { address, family, port: taken } = this.#server.address() as AddressInfo;
        this.#url = new URL(`http://${family === "IPv6" ? `[${address}]` : address}:${taken}`);
        resolve();
      });
    });
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    this.#server.closeAllConnections();
    await closed;
  }

  /** A request that is no upgrade. */
  #pass(request: IncomingMessage, response: ServerResponse): void {
    const tell = this.#teller(request);
    const outgoing = this.#outgoing(request, passedHeaders(request.rawHeaders));
    outgoing.on("response", (answer) => {
      tell(answer.statusCode ?? 0);
      response.sendDate = false;
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage, passedHeaders(answer.rawHeaders));
      answer.pipe(response);
      answer.on("error", () => response.destroy());
    });
    outgoing.on("error", (error) => {
      if (response.headersSent || response.destroyed) {
        response.destroy();
        return;
      }
      tell(502, errorText(error));
      response.writeHead(502, { "Content-Type": "application/json; charset=utf-8" });
      response.end(this.#unreachable(error));
    });
    response.on("close", () => {
      if (!response.writableFinished) outgoing.destroy();
    });
    response.on("error", () => outgoing.destroy());
    request.on("error", () => outgoing.destroy());
    request.pipe(outgoing);
  }

  #upgrade(request: IncomingMessage, near: Duplex, head: Buffer): void {
    const tell = this.#teller(request);
    this.#keep(near);
    // compressed messages could not be read; none of the peers needs them
    const headers = passedHeaders(
      request.rawHeaders,
      ["connection", "upgrade"],
      ["sec-websocket-extensions"],
    );
    const outgoing = this.#outgoing(request, headers);
    near.on("close", () => outgoing.destroy());
    outgoing.on("error", (error) => {
      if (near.destroyed) return;
      tell(502, errorText(error));
      const body = this.#unreachable(error);
      near.end(headOf(502, undefined, ["Content-Type", "application/json; charset=utf-8"]) + body);
    });
    outgoing.on("response", (answer) => {
      tell(answer.statusCode ?? 0);
      // the body goes up to the end of the connection, however it came here
      near.write(headOf(answer.statusCode ?? 502, answer.statusMessage, passedHeaders(answer.rawHeaders)));
      answer.pipe(near);
      answer.on("error", () => near.destroy());
    });
    outgoing.on("upgrade", (answer, far, farHead) => {
      this.#keep(far);
      near.write(headOf(101, answer.statusMessage, answer.rawHeaders));
      this.#connect(request, { near, head }, { far, farHead });
    });
    outgoing.end();
  }

  /** Both sides have agreed: from here on bytes go through as they are. */
  #connect(
    request: IncomingMessage,
    { near, head }: { near: Duplex; head: Buffer },
    { far, farHead }: { far: Duplex; farHead: Buffer },
  ): void {
    const decoder = this.#decoder(request);
    decoder.open(request.url ?? "/", shownHeaders(request));
    const tap = new WebSocketTap(decoder);
    const through = (direction: Direction) => (bytes: Buffer) => tap.push(direction, bytes);
    if (head.length > 0) {
      through("to-server")(head);
      far.write(head);
    }
    if (farHead.length > 0) {
      through("to-client")(farHead);
      near.write(farHead);
    }
    passOn(near, far, through("to-server"));
    passOn(far, near, through("to-client"));
    let open = 2;
    for (const socket of [near, far]) {
      socket.on("close", () => {
        if (--open === 0) tap.end();
      });
    }
  }

  #decoder(request: IncomingMessage): ConnectionDecoder {
    const isWebSocket = request.headers.upgrade?.toLowerCase() === "websocket";
    const path = (request.url ?? "").split("?")[0] ?? "";
    const options: DecoderOptions = {
      connection: ++this.#connections,
      carries: isWebSocket && yamuxPaths.test(path) ? "yamux" : "unknown",
      showSecrets: this.#options.showSecrets,
      secrets: secretsOf(request),
    };
    return new ConnectionDecoder(this.#options.onEvent, options);
  }

  #outgoing(request: IncomingMessage, headers: string[]): ClientRequest {
    const { target } = this.#options;
    const options: RequestOptions = {
      method: request.method,
      // `path` alone would be normalized by a URL
      protocol: target.protocol,
      hostname: target.hostname.replace(/^\[|\]$/g, ""),
      port: target.port,
      path: target.pathname.replace(/\/+$/, "") + (request.url ?? "/"),
      headers: renamed(headers, this.#url, target),
      agent: false,
    };
    return target.protocol === "https:" ? httpsRequest(options) : httpRequest(options);
  }

  /** Tells of a request, once, when there is an answer. */
  #teller(request: IncomingMessage): (status: number, error?: string) => void {
    const { onEvent } = this.#options;
    const redaction: Redaction = this.#options.showSecrets ? showSecrets : hideSecrets(secretsOf(request));
    const from = wallClock();
    return (status, error) => {
      const time = wallClock();
      onEvent({
        type: "http",
        time,
        method: request.method ?? "GET",
        target: redaction.text(request.url ?? "/"),
        status,
        durationMs: millisecondsBetween(from, time),
        ...(error !== undefined && { error: redaction.text(error) }),
      });
    };
  }

  #unreachable(error: Error): string {
    const { protocol, host } = this.#options.target;
    const message = `agentwire inspect cannot reach ${protocol}//${host}.`;
    return `${JSON.stringify({ message, detail: errorText(error) })}\n`;
  }

  #keep(socket: Duplex): void {
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#sockets.delete(socket));
  }
}

/**
 * Names and values as they came, without those that are for one connection.
 * @param kept names of these to keep all the same.
 * @param dropped more names to leave out.
 */
function passedHeaders(
  raw: readonly string[],
  kept: readonly string[] = [],
  dropped: readonly string[] = [],
): string[] {
  const passed: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const [name = "", value = ""] = raw.slice(i, i + 2);
    const lower = name.toLowerCase();
    if ((hopByHop.has(lower) && !kept.includes(lower)) || dropped.includes(lower)) continue;
    passed.push(name, value);
  }
  return passed;
}

/** What names the proxy names its target: the host, and the origin of a page that the proxy has passed on. */
function renamed(headers: readonly string[], own: URL, target: URL): string[] {
  return headers.map((value, at) => {
    if (at % 2 === 0) return value;
    const name = headers[at - 1]?.toLowerCase();
    if (name === "host") return target.host;
    return name === "origin" && value === own.origin ? target.origin : value;
  });
}

/** The head of an answer on a socket that is the proxy's own to write. */
function headOf(status: number, text: string | undefined, headers: readonly string[]): string {
  const lines = [`HTTP/1.1 ${status} ${text || STATUS_CODES[status] || ""}`];
  for (let i = 0; i + 1 < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`);
  if (status !== 101) lines.push("Connection: close");
  return `${lines.join("\r\n")}\r\n\r\n`;
}

function shownHeaders({ headers }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(", ") : (value ?? ""),
    ]),
  );
}
