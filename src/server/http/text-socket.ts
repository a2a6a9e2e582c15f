import { WebSocket } from "ws";
import { jsonBody } from "../api-error.js";

/** Close codes that are used here. */
export const closeCodes = { normal: 1000, goingAway: 1001, protocolError: 1002 } as const;

const oneWay = "Clients cannot send messages for one-way WebSockets";

/**
 * A WebSocket on which the server sends JSON as text messages, and the client sends nothing: a message of it ends
 * the socket with 1002. S5.46, S5.47.
 */
export class TextSocket {
  readonly #socket: WebSocket;
  readonly #pings: ReturnType<typeof setInterval>;
  #isAlive = true;

  /**
   * @param pingIntervalMs a ping goes out so often; who has not answered by the next is cut off.
   * @param onEnd called when it is over, or nothing more is to be sent.
   */
  constructor(socket: WebSocket, pingIntervalMs: number, onEnd: () => void) {
    this.#socket = socket;
    this.#pings = setInterval(() => this.#ping(), pingIntervalMs);
    socket.on("pong", () => {
      this.#isAlive = true;
    });
    socket.on("message", () => {
      this.close(closeCodes.protocolError, oneWay);
      onEnd();
    });
    // the library says to the client what is wrong, and closes
    socket.on("error", onEnd);
    socket.once("close", () => {
      clearInterval(this.#pings);
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
      await new Promise<void>((resolve) => this.#socket.send(jsonBody(value).trimEnd(), () => resolve()));
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
    if (!this.#isAlive) this.#socket.terminate();
    else if (this.#socket.readyState === WebSocket.OPEN) {
      this.#isAlive = false;
      this.#socket.ping();
    }
  }
}
