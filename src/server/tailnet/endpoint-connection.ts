import { WebSocket } from "ws";
import {
  type ByteConnection,
  CloseCode,
  type ConnectionReceiver,
  TransportError,
} from "../../transport/index.js";
import { wsConnection } from "../../transport/ws-node.js";

/**
 * The WebSocket of a user's program as a connection. It is pinged: one that has not answered by the next ping ends
 * at once, and is closed with 1001. Closed in order it ends with 1000, for any other reason with 1011 and the text.
 * S4.32.
 */
export class ProbedConnection implements ByteConnection {
  readonly name: string;
  readonly #socket: WebSocket;
  readonly #inner: ByteConnection;
  readonly #pings: ReturnType<typeof setInterval>;
  #receiver: ConnectionReceiver | undefined;
  #hasAnswered = true;

  /** @param pingIntervalMs a ping goes out so often. */
  constructor(socket: WebSocket, name: string, pingIntervalMs: number) {
    this.name = name;
    this.#socket = socket;
    this.#inner = wsConnection(socket, name);
    this.#pings = setInterval(() => this.#probe(), pingIntervalMs);
    socket.on("pong", () => {
      this.#hasAnswered = true;
    });
    socket.once("close", () => clearInterval(this.#pings));
  }

  get bufferedBytes(): number {
    return this.#inner.bufferedBytes;
  }

  attach(receiver: ConnectionReceiver): void {
    this.#receiver = receiver;
    this.#inner.attach({
      onBytes: (bytes) => receiver.onBytes(bytes),
      onDrain: () => receiver.onDrain(),
      onEnd: (end) => this.#end(end),
    });
  }

  write(bytes: Uint8Array): void {
    this.#inner.write(bytes);
  }

  pauseReading(): void {
    this.#inner.pauseReading();
  }

  resumeReading(): void {
    this.#inner.resumeReading();
  }

  close(code: number, reason: string): void {
    clearInterval(this.#pings);
    this.#inner.close(code === CloseCode.Normal ? code : CloseCode.InternalError, reason);
  }

  abort(): void {
    this.#inner.abort();
  }

  #probe(): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    if (this.#hasAnswered) {
      this.#hasAnswered = false;
      this.#socket.ping();
      return;
    }
    clearInterval(this.#pings);
    this.#inner.close(CloseCode.GoingAway, "liveness probe failed");
    // whoever is gone does not answer the goodbye either: the session need not wait for that
    const text = `${this.name}: the peer did not answer a WebSocket ping in time`;
    this.#end(new TransportError("connection", "ping-timeout", text, { closeCode: CloseCode.GoingAway }));
  }

  #end(end: TransportError): void {
    const receiver = this.#receiver;
    this.#receiver = undefined;
    receiver?.onEnd(end);
  }
}
