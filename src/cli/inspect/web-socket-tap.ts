import {
  type ConnectionDecoder,
  type Direction,
  type EndEvent,
  WebSocketReader,
} from "../../observe/index.js";
import { errorText } from "../../rpc/error-text.js";

/** Tells a decoder of the WebSocket frames in both directions of a connection. */
export class WebSocketTap {
  readonly #decoder: ConnectionDecoder;
  readonly #readers: Record<Direction, WebSocketReader | undefined> = {
    "to-server": new WebSocketReader(),
    "to-client": new WebSocketReader(),
  };
  /** The first close that went by. */
  #close: Pick<EndEvent, "code" | "reason" | "direction"> | undefined;

  constructor(decoder: ConnectionDecoder) {
    this.#decoder = decoder;
  }

  /** Bytes as they are on the wire. */
  push(direction: Direction, bytes: Uint8Array): void {
    try {
      this.#readers[direction]?.push(bytes, {
        onFrame: ({ isPart, ...frame }) => {
          this.#decoder.webSocketFrame({ direction, ...frame, ...(isPart && { isPart }) });
          if (frame.opcode !== "close") return;
          const { code, reason } = frame;
          this.#close ??= { direction, ...(code !== undefined && { code }), ...(reason && { reason }) };
        },
        onBinary: (payload) => this.#decoder.bytes(direction, payload),
      });
    } catch (error) {
      this.#readers[direction] = undefined;
      this.#decoder.broken(direction, "websocket", errorText(error));
    }
  }

  /** The connection is over. */
  end(): void {
    this.#decoder.end(this.#close);
  }
}
