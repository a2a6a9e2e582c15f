import { WebSocket } from "ws";
import { jsonBody } from "../api-error.js";

/** Close codes that are used here. */
export const closeCodes = { normal: 1000, goingAway: 1001, protocolError: 1002 } as const;

const oneWay = "Clients cannot send messages for one-way WebSockets";

/** What is different about some sockets. */
export interface TextSocketOptions {
  /** Whether the JSON goes as binary messages; false by default. S5.52. */
  isBinary?: boolean;
  /**
   * Who has not answered a ping after so long, in milliseconds, gets a goodbye. By default who has not answered by the
   * next ping is cut off.
   */
  lostPong?: { afterMs: number; goodbye: { code: number; reason: string } };
}

/**
 * A WebSocket on which the server sends JSON as text messages, and the client sends nothing: a message of it ends
 * the socket with 1002. S5.46, S5.47.
 */
export class TextSocket {
  readonly #socket: WebSocket;
  readonly #options: TextSocketOptions;
  readonly #onEnd: () => void;
  readonly #pings: ReturnType<typeof setInterval>;
  #isAlive = true;
  #pongTimer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param pingIntervalMs a ping goes out so often; see {@link TextSocketOptions.lostPong} for who does not answer.
   * @param onEnd called when it is over, or nothing more is to be sent.
   */
  constructor(socket: WebSocket, pingIntervalMs: number, onEnd: () => void, options: TextSocketOptions = {}) {
    this.#socket = socket;
    this.#options = options;
    this.#onEnd = onEnd;
    this.#pings = setInterval(() => this.#ping(), pingIntervalMs);
    socket.on("pong", () => {
      this.#isAlive = true;
      clearTimeout(this.#pongTimer);
    });
    socket.on("message", () => {
      this.close(closeCodes.protocolError, oneWay);
      onEnd();
    });
    // the library says to the client what is wrong, and closes
    socket.on("error", onEnd);
    socket.once("close", () => {
      clearInterval(this.#pings);
      clearTimeout(this.#pongTimer);
      onEnd();
    });
  }

  /** Bytes that the reader has not taken. */
  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** Sends a value. It resolves when it is on its way, or the socket is over: who waits for it keeps no queue. */
  async send(value: unknown): Promise<void> {
    if (this.#socket.readyState === WebSocket.OPEN) {
      const { isBinary = false } = this.#options;
      const text = jsonBody(value).trimEnd();
      await new Promise<void>((resolve) => this.#socket.send(text, { binary: isBinary }, () => resolve()));
    }
    // who goes on sending would keep the end from being seen
    if (this.#socket.readyState !== WebSocket.OPEN) await this.#over();
  }

  /** Says goodbye. The first reason counts. */
  close(code: number, reason = ""): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.close(code, reason);
  }

  /** Resolves when it is over. Who does not answer a goodbye in `ms` is cut off. */
  async closed(ms: number): Promise<void> {
    const timer = setTimeout(() => this.#socket.terminate(), ms);
    await this.#over();
    clearTimeout(timer);
  }

  async #over(): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    await new Promise<void>((resolve) => this.#socket.once("close", () => resolve()));
  }

  #ping(): void {
    const { lostPong } = this.#options;
    if (!this.#isAlive) {
      if (lostPong === undefined) this.#socket.terminate();
    } else if (this.#socket.readyState === WebSocket.OPEN) {
      this.#isAlive = false;
      this.#socket.ping();
      if (lostPong === undefined) return;
      this.#pongTimer = setTimeout(() => {
        this.close(lostPong.goodbye.code, lostPong.goodbye.reason);
        this.#onEnd();
      }, lostPong.afterMs);
    }
  }
}
