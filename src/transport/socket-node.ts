import { connect, type NetConnectOpts, type Socket } from "node:net";
import {
  type ByteConnection,
  CloseCode,
  type ConnectionReceiver,
  closedByPeer,
  closedLocally,
  connectionLost,
} from "./connection.js";

/** After an orderly close the peer has so long to end its side. */
const closeTimeoutMs = 5_000;

/**
 * A TCP or Unix socket as a connection. The socket must be connected; its data must not have been read.
 * @param name for error texts; the socket's address by default.
 */
export function socketConnection(socket: Socket, name?: string): ByteConnection {
  return new SocketConnection(socket, name ?? addressOf(socket));
}

/**
 * Connects to a TCP port or a Unix socket.
 * @param signal ends the attempt.
 * @throws TransportError when it cannot be reached; the signal's reason.
 */
export function dialSocket(target: NetConnectOpts, signal?: AbortSignal): Promise<ByteConnection> {
  const name = "path" in target ? target.path : `${target.host ?? "localhost"}:${target.port}`;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const socket = connect(target);
    const leave = () => {
      socket.destroy();
      reject(signal?.reason);
    };
    const fail = (error: Error) => {
      signal?.removeEventListener("abort", leave);
      reject(connectionLost(`dial ${name}`, error));
    };
    signal?.addEventListener("abort", leave, { once: true });
    socket.once("error", fail);
    socket.once("connect", () => {
      signal?.removeEventListener("abort", leave);
      socket.off("error", fail);
      resolve(socketConnection(socket, name));
    });
  });
}

class SocketConnection implements ByteConnection {
  readonly name: string;
  readonly #socket: Socket;
  #receiver: ConnectionReceiver | undefined;
  #isClosedHere = false;
  #error: Error | undefined;
  #closeTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(socket: Socket, name: string) {
    this.name = name;
    this.#socket = socket;
    socket.pause();
    // joining small writes is done above; waiting for more would only add delay
    socket.setNoDelay(true);
    socket.on("error", (error) => {
      this.#error = error;
    });
    socket.on("close", () => {
      clearTimeout(this.#closeTimer);
      this.#receiver?.onEnd(this.#howItEnded());
    });
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  attach(receiver: ConnectionReceiver): void {
    this.#receiver = receiver;
    if (this.#socket.destroyed) {
      queueMicrotask(() => receiver.onEnd(this.#howItEnded()));
      return;
    }
    this.#socket.on("data", (bytes: Uint8Array) => receiver.onBytes(bytes));
    this.#socket.on("drain", () => receiver.onDrain());
    this.#socket.resume();
  }

  write(bytes: Uint8Array): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  pauseReading(): void {
    this.#socket.pause();
  }

  resumeReading(): void {
    this.#socket.resume();
  }

  close(): void {
    if (this.#isClosedHere || this.#socket.destroyed) return;
    this.#isClosedHere = true;
    this.#socket.end();
    // the end of the peer must be read to be seen
    this.#socket.resume();
    this.#closeTimer = setTimeout(() => this.#socket.destroy(), closeTimeoutMs);
  }

  abort(): void {
    this.#isClosedHere = true;
    // only TCP has a reset: Node throws for a Unix socket, which has no address
    if (this.#socket.remoteAddress === undefined) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  #howItEnded() {
    if (this.#isClosedHere) return closedLocally(this.name);
    if (this.#error !== undefined) return connectionLost(this.name, this.#error);
    return closedByPeer(this.name, CloseCode.Normal, "");
  }
}

function addressOf(socket: Socket): string {
  return socket.remoteAddress === undefined ? "socket" : `${socket.remoteAddress}:${socket.remotePort}`;
}
