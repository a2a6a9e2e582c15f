import type { Socket } from "node:net";
import { BoundaryFrameReader, BoundaryTag, type MessageCodec } from "../../codec/index.js";
import { ReportBoundaryLogsRequestCodec } from "../../gen/coder/agent/v2/agent_codec.js";
import type { ReportBoundaryLogsRequest } from "../../gen/coder/agent/v2/agent_pb.js";
import { BoundaryMessageCodec } from "../../gen/coder/boundarylogproxy/codec/v1/boundary_codec.js";
import type { BoundaryStatus } from "../../gen/coder/boundarylogproxy/codec/v1/boundary_pb.js";
import { errorText } from "../../rpc/error-text.js";

/** What takes the logs that programs write. A `BoundaryLogSender` is one. */
export interface BoundaryLogSink {
  /** Takes a request as it came. What it has no room for it drops. */
  push(request: ReportBoundaryLogsRequest): unknown;
  /** Counts what a program had to drop. */
  countStatus(status: BoundaryStatus): void;
}

/** The logs of one program. It holds one frame that is not whole yet, at most, and never writes. */
export class ProxyConnection {
  readonly #socket: Socket;
  readonly #sink: BoundaryLogSink;
  readonly #warn: (text: string) => void;
  readonly #reader = new BoundaryFrameReader();
  /** Resolves when the socket is closed, by whichever side. */
  readonly closed: Promise<void>;
  /** Nothing that comes from now on is looked at. */
  #isOver = false;

  /** @param warn is told, without a name, what the program did wrong. */
  constructor(socket: Socket, sink: BoundaryLogSink, warn: (text: string) => void) {
    this.#socket = socket;
    this.#sink = sink;
    this.#warn = warn;
    this.closed = new Promise((resolve) => socket.once("close", () => resolve()));
    socket.on("data", (bytes) => this.#onData(bytes));
    socket.on("end", () => this.#onEnd());
    socket.on("error", (error) => this.#onEnd(error));
  }

  /** Ends the connection from this side. */
  end(): void {
    this.#isOver = true;
    this.#socket.destroy();
  }

  #onData(bytes: Uint8Array): void {
    if (this.#isOver) return;
    try {
      this.#reader.push(bytes, (tag, payload) => this.#onFrame(tag, payload));
    } catch (error) {
      // where the next frame begins is not known: C6.6
      this.end();
      this.#warn(`${errorText(error)}; the connection is closed`);
    }
  }

  /** Between two frames an end is silent, and within one it is not: C6.6. */
  #onEnd(error?: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (error === undefined && this.#reader.isBetweenFrames) return;
    const where = this.#reader.isWithinPayload ? "read full error" : "read header error";
    this.#warn(`${where}: ${error?.message ?? "unexpected EOF"}`);
  }

  #onFrame(tag: BoundaryTag, payload: Uint8Array): void {
    if (tag === BoundaryTag.Logs) {
      const request = this.#decode(tag, ReportBoundaryLogsRequestCodec, payload);
      if (request !== undefined) this.#sink.push(request);
      return;
    }
    const message = this.#decode(tag, BoundaryMessageCodec, payload);
    if (message === undefined) return;
    const { msg } = message;
    if (msg.case === "logs") this.#sink.push(msg.value);
    else if (msg.case === "status") this.#sink.countStatus(msg.value);
    else this.#warn("a message of no known kind is ignored"); // C6.7
  }

  #decode<T, Init>(tag: BoundaryTag, codec: MessageCodec<T, Init>, payload: Uint8Array): T | undefined {
    try {
      return codec.decode(payload);
    } catch (error) {
      this.#warn(`unmarshal TagV${tag}: ${errorText(error)}; the frame is skipped`);
      return undefined;
    }
  }
}
