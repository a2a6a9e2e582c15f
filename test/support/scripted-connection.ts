import { FrameType, YamuxFrameReader } from "../../src/codec/index.js";
import type { ByteConnection, ConnectionReceiver, TransportError } from "../../src/transport/index.js";
import { closedLocally } from "../../src/transport/index.js";

/** A connection whose other side is the test: it feeds bytes and sees what was written. */
export class ScriptedConnection implements ByteConnection {
  readonly name = "scripted";
  bufferedBytes = 0;
  /** Whether what is written stays in the buffer until `letGo` or `drain`. */
  holdsBack = false;
  /** Every write, one message each. */
  readonly written: Buffer[] = [];
  closedWith: { code: number; reason: string } | undefined;
  isReadingPaused = false;
  #receiver: ConnectionReceiver | undefined;

  attach(receiver: ConnectionReceiver): void {
    this.#receiver = receiver;
  }

  write(bytes: Uint8Array): void {
    if (this.closedWith !== undefined) return;
    this.written.push(Buffer.from(bytes));
    if (this.holdsBack) this.bufferedBytes += bytes.length;
  }

  pauseReading(): void {
    this.isReadingPaused = true;
  }

  resumeReading(): void {
    this.isReadingPaused = false;
  }

  close(code: number, reason: string): void {
    if (this.closedWith !== undefined) return;
    this.closedWith = { code, reason };
    queueMicrotask(() => this.end(closedLocally(this.name)));
  }

  abort(): void {
    this.close(1006, "aborted");
  }

  feed(bytes: Uint8Array): void {
    this.#receiver?.onBytes(bytes);
  }

  /** So many bytes have left. */
  letGo(bytes: number): void {
    this.bufferedBytes = Math.max(0, this.bufferedBytes - bytes);
    this.#receiver?.onDrain();
  }

  drain(): void {
    this.bufferedBytes = 0;
    this.#receiver?.onDrain();
  }

  end(error: TransportError): void {
    this.#receiver?.onEnd(error);
  }

  /** All frames written so far, in the words of the recordings. */
  get frames(): string[] {
    return framesInWords(Buffer.concat(this.written));
  }
}

const typeNames = ["Data", "WindowUpdate", "Ping", "GoAway"];
const flagNames: [number, string][] = [
  [1, "SYN"],
  [2, "ACK"],
  [4, "FIN"],
  [8, "RST"],
];

/** Frames as the recordings write them: `WindowUpdate[SYN|FIN] stream=1 length=0`. */
function framesInWords(bytes: Uint8Array): string[] {
  const words: string[] = [];
  new YamuxFrameReader().push(bytes, {
    onFrame(type, flags, streamId, length) {
      const names = flagNames.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);
      words.push(`${typeNames[type]}[${names.join("|")}] stream=${streamId} length=${length}`);
    },
    onBody() {},
  });
  return words;
}

/** The bodies of the data frames of one stream, joined. */
export function dataOf(bytes: Uint8Array, stream: number): Buffer {
  const bodies: Uint8Array[] = [];
  let isWanted = false;
  new YamuxFrameReader().push(bytes, {
    onFrame(type, _flags, streamId) {
      isWanted = type === FrameType.Data && streamId === stream;
    },
    onBody(body) {
      if (isWanted) bodies.push(body);
    },
  });
  return Buffer.concat(bodies);
}

/** Lets everything run that is due now: microtasks and immediates. */
export async function settle(rounds = 3): Promise<void> {
  for (let i = 0; i < rounds; i++) await new Promise((resolve) => setImmediate(resolve));
}
