import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { jsonBody } from "../api-error.js";
import { headersFor } from "./answer.js";

/** A reader that has taken nothing for so many pings is cut off. */
const mostPingsBehind = 4;

const streamHeaders = {
  "Content-Type": "text/event-stream",
  "Cache-Control": "no-cache",
  Connection: "keep-alive",
  "X-Accel-Buffering": "no",
};

/**
 * Server-sent events on a response. Nothing is sent, not even the head, before the first event or ping. S5.31.
 *
 * What the reader has not taken is at most one event: see {@link isBehind}.
 */
export class EventStream {
  readonly #response: ServerResponse;
  readonly #headers: OutgoingHttpHeaders;
  readonly #pings: ReturnType<typeof setInterval>;
  #isBehind = false;
  #isOver = false;
  #pingsBehind = 0;

  /** @param pingIntervalMs a ping goes out so often. */
  constructor(response: ServerResponse, headers: OutgoingHttpHeaders, pingIntervalMs: number) {
    this.#response = response;
    this.#headers = headersFor(response, { ...headers, ...streamHeaders });
    this.#pings = setInterval(() => this.#ping(), pingIntervalMs);
    response.on("drain", this.#onDrain);
  }

  /** True while the reader has not taken what was sent. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /**
   * Sends an event. A reader that is behind is cut off instead: whoever sends what may be left out looks at
   * {@link isBehind} first. Nothing happens once the stream is over.
   */
  send(event: "data" | "error", value: unknown): void {
    if (this.#isOver) return;
    if (this.#isBehind) this.cut();
    else this.#write(`event: ${event}\ndata: ${jsonBody(value)}\n`);
  }

  /** Ends it in order. */
  end(): void {
    if (this.#isOver) return;
    this.#release();
    if (!this.#response.headersSent) this.#response.writeHead(200, this.#headers);
    this.#response.end();
  }

  /** Ends it at once. */
  cut(): void {
    this.#release();
    this.#response.destroy();
  }

  #ping(): void {
    if (!this.#isBehind) {
      this.#pingsBehind = 0;
      this.#write("event: ping\n\n");
      return;
    }
    this.#pingsBehind++;
    if (this.#pingsBehind >= mostPingsBehind) this.cut();
  }

  #write(text: string): void {
    if (!this.#response.headersSent) this.#response.writeHead(200, this.#headers);
    this.#isBehind = !this.#response.write(text);
  }

  readonly #onDrain = () => {
    this.#isBehind = false;
  };

  #release(): void {
    this.#isOver = true;
    clearInterval(this.#pings);
    this.#response.off("drain", this.#onDrain);
  }
}
