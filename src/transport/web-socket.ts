import {
  type ByteConnection,
  CloseCode,
  type ConnectionReceiver,
  closedByPeer,
  closedLocally,
  connectionLost,
  cutReason,
} from "./connection.js";
import { TransportError } from "./errors.js";

/** The standard WebSocket does not say when it has sent something: it is asked in these intervals. */
const drainPollMs = 5;
const drainBytes = 32 * 1024;

/** A peer that does not answer a close frame in so long is given up. */
const closeTimeoutMs = 5_000;

/** What is used of the standard WebSocket of browsers, Deno, Bun, workers and Node from 22. */
export interface StandardWebSocket {
  readonly readyState: number;
  readonly bufferedAmount: number;
  readonly url: string;
  binaryType: string;
  /** Sends a binary message. */
  send(data: Uint8Array): void;
  /** Says goodbye. */
  close(code?: number, reason?: string): void;
  /** A message came; binary ones as `ArrayBuffer`. */
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
  /** It is over. */
  addEventListener(type: "close", listener: (event: { code: number; reason: string }) => void): void;
  /** It failed; `close` follows. */
  addEventListener(type: "error", listener: () => void): void;
}

const open = 1;
const closing = 2;
const closed = 3;

/**
 * A standard WebSocket as a connection. It must be open, and no message of it read: make the connection in its
 * `open` event.
 *
 * Such a socket cannot be paused: what the peer sends is bounded by the windows of the streams only. It may
 * close with 1000 or with codes from 3000: other codes are sent as that code plus 3000 (1002 as 4002).
 * @param name for error texts; its URL without the query by default.
 */
export function webSocketConnection(socket: StandardWebSocket, name?: string): ByteConnection {
  return new WebSocketConnection(socket, name ?? (socket.url.split("?")[0] || "WebSocket"));
}

class WebSocketConnection implements ByteConnection {
  readonly name: string;
  readonly #socket: StandardWebSocket;
  #receiver: ConnectionReceiver | undefined;
  /** What arrived before a receiver. */
  #early: Uint8Array[] = [];
  #end: TransportError | undefined;
  #hasEnded = false;
  #drainTimer: ReturnType<typeof setTimeout> | undefined;
  #closeTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(socket: StandardWebSocket, name: string) {
    this.name = name;
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", (event) => this.#onMessage(event.data));
    socket.addEventListener("error", () => {
      this.#end ??= connectionLost(name);
    });
    socket.addEventListener("close", ({ code, reason }) => {
      this.#ended(code === 1006 ? connectionLost(name) : closedByPeer(name, code, reason));
    });
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  attach(receiver: ConnectionReceiver): void {
    this.#receiver = receiver;
    const early = this.#early;
    this.#early = [];
    queueMicrotask(() => {
      for (const bytes of early) receiver.onBytes(bytes);
      if (this.#hasEnded) receiver.onEnd(this.#end ?? connectionLost(this.name));
    });
  }

  write(bytes: Uint8Array): void {
    if (this.#socket.readyState !== open) return;
    this.#socket.send(bytes);
    if (this.#drainTimer === undefined && this.#socket.bufferedAmount > drainBytes) this.#pollDrain();
  }

  pauseReading(): void {}

  resumeReading(): void {}

  close(code: number, reason: string): void {
    if (this.#socket.readyState >= closing) return;
    this.#end ??= closedLocally(this.name);
    this.#closeTimer = setTimeout(() => this.#ended(closedLocally(this.name)), closeTimeoutMs);
    this.#socket.close(code === CloseCode.Normal || code >= 3000 ? code : code + 3000, cutReason(reason));
  }

  abort(): void {
    this.#end ??= closedLocally(this.name);
    if (this.#socket.readyState !== closed) this.#socket.close();
    this.#ended(this.#end);
  }

  #onMessage(data: unknown): void {
    if (this.#end !== undefined) return;
    if (!(data instanceof ArrayBuffer)) {
      this.#end = new TransportError(
        "connection",
        "connection-misused",
        `${this.name}: a text message came; only binary ones carry data`,
        { closeCode: CloseCode.UnsupportedData },
      );
      this.close(CloseCode.UnsupportedData, "only binary messages carry data");
      return;
    }
    const bytes = new Uint8Array(data);
    if (this.#receiver === undefined) this.#early.push(bytes);
    else this.#receiver.onBytes(bytes);
  }

  #pollDrain(): void {
    this.#drainTimer = setTimeout(() => {
      this.#drainTimer = undefined;
      if (this.#hasEnded) return;
      if (this.#socket.bufferedAmount > drainBytes) this.#pollDrain();
      else this.#receiver?.onDrain();
    }, drainPollMs);
  }

  #ended(end: TransportError): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#end ??= end;
    clearTimeout(this.#drainTimer);
    clearTimeout(this.#closeTimer);
    this.#receiver?.onEnd(this.#end);
  }
}
