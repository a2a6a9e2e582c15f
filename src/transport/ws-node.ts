import { type RawData, WebSocket } from "ws";
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

/** A peer that does not answer a close frame in so long is cut off. */
const closeTimeoutMs = 5_000;

/** A socket with more than this to send calls back when it has less. */
const drainBytes = 32 * 1024;

/** Says of a message what it is, without compression. W2.1. */
const asBinary = { binary: true, compress: false } as const;

/** The words of the reference server for a text message. S1.27. */
const textRefused = "unexpected frame type read (expected MessageBinary): MessageText";

/**
 * A WebSocket of the `ws` package as a connection, in either role. It must be open, and no message of it read:
 * make the connection in the same tick in which it opened.
 * @param name for error texts; its URL by default.
 */
export function wsConnection(socket: WebSocket, name?: string): ByteConnection {
  return new WsConnection(socket, name ?? (socket.url || "WebSocket"));
}

/** Where a socket has its connection: the listeners are the same for all, instead of some for each. */
const connectionOf = Symbol("connection");

type OwnedWebSocket = WebSocket & { [connectionOf]?: WsConnection };

class WsConnection implements ByteConnection {
  readonly name: string;
  readonly #socket: WebSocket;
  #receiver: ConnectionReceiver | undefined;
  #wantsDrain = false;
  #end: TransportError | undefined;
  #closeTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(socket: WebSocket, name: string) {
    this.name = name;
    this.#socket = socket;
    const owned: OwnedWebSocket = socket;
    owned[connectionOf] = this;
    socket.pause();
    socket.on("message", onMessage);
    socket.on("error", onError);
    socket.on("close", onClose);
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** A client's messages are masked in a copy, a server's are counted until the system has them. */
  get releasesMemory(): boolean {
    return true;
  }

  attach(receiver: ConnectionReceiver): void {
    this.#receiver = receiver;
    if (this.#socket.readyState === WebSocket.CLOSED) {
      const end = this.#end ?? connectionLost(this.name);
      queueMicrotask(() => receiver.onEnd(end));
      return;
    }
    this.#socket.resume();
  }

  write(bytes: Uint8Array): void {
    const socket = this.#socket;
    if (socket.readyState !== WebSocket.OPEN) return;
    if (!this.#wantsDrain && socket.bufferedAmount + bytes.length <= drainBytes) {
      socket.send(bytes, asBinary);
      return;
    }
    this.#wantsDrain = true;
    socket.send(bytes, asBinary, () => this.#sent());
  }

  pauseReading(): void {
    this.#socket.pause();
  }

  resumeReading(): void {
    this.#socket.resume();
  }

  close(code: number, reason: string): void {
    if (this.#socket.readyState >= WebSocket.CLOSING) return;
    this.#end ??= closedLocally(this.name);
    this.#startCloseTimer();
    // a paused socket would not see the answer
    this.#socket.resume();
    this.#socket.close(code, cutReason(reason));
  }

  #startCloseTimer(): void {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    this.#closeTimer ??= setTimeout(() => this.#socket.terminate(), closeTimeoutMs);
  }

  abort(): void {
    this.#end ??= closedLocally(this.name);
    this.#socket.terminate();
  }

  received(data: RawData, isBinary: boolean): void {
    if (this.#end !== undefined) return;
    if (!isBinary) {
      this.#end = new TransportError(
        "connection",
        "connection-misused",
        `${this.name}: a text message came; only binary ones carry data`,
        { closeCode: CloseCode.UnsupportedData },
      );
      this.close(CloseCode.UnsupportedData, textRefused);
      return;
    }
    if (!Array.isArray(data)) this.#receiver?.onBytes(plain(data));
    else for (const part of data) this.#receiver?.onBytes(plain(part));
  }

  failed(error: Error): void {
    this.#end ??= isTooLarge(error)
      ? new TransportError("connection", "connection-misused", `${this.name}: a message is too large`, {
          cause: error,
        })
      : connectionLost(this.name, error);
    // the library says goodbye and waits for the peer, for longer than we do
    this.#startCloseTimer();
  }

  closed(code: number, reason: Buffer): void {
    clearTimeout(this.#closeTimer);
    const { name } = this;
    this.#end ??= code === 1006 ? connectionLost(name) : closedByPeer(name, code, reason.toString());
    this.#receiver?.onEnd(this.#end);
  }

  #sent(): void {
    if (!this.#wantsDrain || this.#socket.bufferedAmount > drainBytes) return;
    this.#wantsDrain = false;
    this.#receiver?.onDrain();
  }
}

function onMessage(this: OwnedWebSocket, data: RawData, isBinary: boolean): void {
  this[connectionOf]?.received(data, isBinary);
}

function onError(this: OwnedWebSocket, error: Error): void {
  this[connectionOf]?.failed(error);
}

function onClose(this: OwnedWebSocket, code: number, reason: Buffer): void {
  this[connectionOf]?.closed(code, reason);
}

/** Without Node's Buffer around it, of which views cost more; everything here is made of views. */
function plain(data: Buffer | ArrayBuffer): Uint8Array {
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function isTooLarge(error: Error & { code?: string }): boolean {
  return error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH";
}
