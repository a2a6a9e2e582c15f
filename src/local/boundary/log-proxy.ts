import { unlink } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { dirname } from "node:path";
import { isServed, SocketFile } from "../socket-file.js";
import { type BoundaryLogSink, ProxyConnection } from "./proxy-connection.js";
import { checkSocketPath, defaultBoundaryLogSocketPath } from "./socket-path.js";

/** Bounds of a {@link BoundaryLogProxy}. */
export interface BoundaryLogProxyLimits {
  /** So many programs may be connected at once, 256 by default. More are turned away with a warning. */
  maxConnections?: number;
}

/** How a boundary log proxy is made. */
export interface BoundaryLogProxyOptions {
  /**
   * The Unix socket; {@link defaultBoundaryLogSocketPath} by default. A file that nobody listens behind is replaced.
   */
  path?: string;
  /** What takes the logs, such as a `BoundaryLogSender` that a session keeps going. */
  sender: BoundaryLogSink;
  /** Told in a sentence what a program did wrong, and what became of it. */
  onWarning?(text: string): void;
  limits?: BoundaryLogProxyLimits;
}

/** A boundary log proxy that listens. */
export interface BoundaryLogProxy extends AsyncDisposable {
  /** Where it listens, for the environment of programs that have logs. */
  readonly path: string;
  /** Programs that are connected. */
  readonly connectionCount: number;
  /** Ends all connections, waits for that, and removes the socket's file, unless it is another program's by now. C6.14. */
  close(): Promise<void>;
}

/**
 * Takes logs of programs that confine other programs, over a Unix socket, and gives them to a sender. Nothing is ever
 * written back (C6.8), and no program is held back: what the sender has no room for is lost and counted there. A
 * program's mistakes end its own connection at most (C6.6). Not for Windows.
 * @throws TypeError when no socket can have the path; Error when another program listens there, which the reference
 * would replace (C6.1), when the old file cannot be removed, or when the socket cannot be listened on.
 */
export async function createBoundaryLogProxy(options: BoundaryLogProxyOptions): Promise<BoundaryLogProxy> {
  const path = options.path ?? defaultBoundaryLogSocketPath();
  checkSocketPath(path);
  if (await isServed(path)) {
    throw new Error(`listen on socket: socket path ${path} is not available: another program serves it`);
  }
  await removeFile(path);
  const proxy = new SocketProxy(path, options);
  await proxy.listen();
  return proxy;
}

class SocketProxy implements BoundaryLogProxy {
  readonly path: string;
  readonly #server: Server;
  readonly #connections = new Set<ProxyConnection>();
  #file: SocketFile | undefined;
  #closing: Promise<void> | undefined;

  constructor(path: string, { sender, onWarning = () => {}, limits = {} }: BoundaryLogProxyOptions) {
    this.path = path;
    const { maxConnections = 256 } = limits;
    let lastNumber = 0;
    this.#server = createServer((socket) => {
      const name = `boundary log connection ${++lastNumber}`;
      const connection = new ProxyConnection(socket, sender, (text) => onWarning(`${name}: ${text}`));
      this.#connections.add(connection);
      void connection.closed.then(() => this.#connections.delete(connection));
    });
    this.#server.maxConnections = maxConnections;
    this.#server.on("drop", () =>
      onWarning(`${path}: a program was turned away, ${maxConnections} are connected already`),
    );
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", (error: NodeJS.ErrnoException) => {
        reject(new Error(`listen on socket: ${listenProblem(this.path, error)}`, { cause: error }));
      });
      this.#server.listen(this.path, () => {
        this.#file = new SocketFile(this.path);
        this.#server.removeAllListeners("error");
        // a connection that could not be accepted, for want of file descriptors, is lost; the others stay
        this.#server.on("error", () => {});
        resolve();
      });
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const closed = this.#file?.close(this.#server);
    const connections = [...this.#connections];
    for (const connection of connections) connection.end();
    await closed;
    await Promise.all(connections.map((connection) => connection.closed));
  }
}

/** A file that is not there is fine. */
async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // without the folder there is no file either
    if (code === "ENOENT") return;
    throw new Error(`remove existing socket: ${path}: ${message}`, { cause: error });
  }
}

function listenProblem(path: string, { code, message }: NodeJS.ErrnoException): string {
  // so says Node where the folder is missing
  if (code === "ENOENT" || code === "EACCES") {
    return `${path}: the folder ${dirname(path)} is not there, or may not be written to (${message})`;
  }
  return `${path}: ${message}`;
}
