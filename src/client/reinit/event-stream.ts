import { joined } from "../../codec/byte-pieces.js";
import { decodeUtf8 } from "../../codec/index.js";

/** An event of a server: its name, and its one line of data. */
export interface StreamEvent {
  name: "data" | "error";
  data: string;
}

const newline = 0x0a;
const maxShownCharacters = 200;

/**
 * Reads server-sent events as strictly as the reference agent. C1.61: blank lines are skipped, then there must be
 * `event: `, and but for `ping` one line of `data: `; there are no comments, no ids, no data in several lines. Lines may
 * end with CRLF. Feed it pieces as they come, cut anywhere.
 */
export class EventStreamReader {
  readonly #maxLineBytes: number;
  #pieces: Uint8Array[] = [];
  #length = 0;
  #awaited: "data" | "error" | undefined;

  /** @param maxLineBytes so long may a line be, without its end. */
  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
  }

  /**
   * Reads a piece while its events are taken: take all, or none after this piece.
   * @returns the events that are complete now. Pings are left out.
   * @throws Error with the text of C1.61 for a line that may not be there; the reader is done for then.
   */
  *push(chunk: Uint8Array): Generator<StreamEvent, void, undefined> {
    let at = 0;
    for (;;) {
      const end = chunk.indexOf(newline, at);
      this.#keep(chunk.subarray(at, end < 0 ? chunk.length : end));
      if (end < 0) return;
      const event = this.#take(this.#line());
      if (event !== undefined) yield event;
      at = end + 1;
    }
  }

  #keep(piece: Uint8Array): void {
    this.#length += piece.length;
    if (this.#length > this.#maxLineBytes) {
      throw new Error(`a line of the events is longer than ${this.#maxLineBytes} bytes`);
    }
    if (piece.length > 0) this.#pieces.push(piece.slice());
  }

  #line(): string {
    const bytes = joined(this.#pieces);
    this.#pieces = [];
    this.#length = 0;
    return decodeUtf8(bytes).replace(/\r$/, "");
  }

  #take(line: string): StreamEvent | undefined {
    if (line.trim() === "") return undefined;
    const name = this.#awaited;
    if (name === undefined) {
      this.#awaited = awaitedBy(valueIn("event", line));
      return undefined;
    }
    this.#awaited = undefined;
    return { name, data: valueIn("data", line) };
  }
}

function valueIn(field: "event" | "data", line: string): string {
  const prefix = `${field}: `;
  if (!line.startsWith(prefix)) throw new Error(`expecting ${field} prefix, got: ${shown(line)}`);
  return line.slice(prefix.length).trim();
}

/** The event whose data come next; a ping has none. */
function awaitedBy(name: string): "data" | "error" | undefined {
  if (name === "ping") return undefined;
  if (name === "data" || name === "error") return name;
  throw new Error(`unknown event type: ${shown(name)}`);
}

function shown(text: string): string {
  return text.length > maxShownCharacters ? `${text.slice(0, maxShownCharacters)}...` : text;
}
