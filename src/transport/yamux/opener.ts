import { TransportError } from "../errors.js";
import { WaitingLine } from "../waiting-line.js";
import type { ResolvedYamuxOptions } from "./options.js";
import type { YamuxStream } from "./stream.js";

/** What the opener needs of its session. */
export interface OpenerHost {
  /** @throws TransportError when no stream can be opened any more. */
  checkMayOpen(): void;
  /** A new stream of this side, in the session's table. */
  create(id: number): YamuxStream;
  isIdUsed(id: number): boolean;
}

/** Opens streams within limits: so many open, so many that the peer has not acknowledged. */
export class StreamOpener {
  readonly #host: OpenerHost;
  readonly #limits: ResolvedYamuxOptions;
  /** Made when somebody waits: most sessions have room. */
  #line: WaitingLine<YamuxStream> | undefined;
  #nextId: number;
  #open = 0;
  #unacknowledged = 0;

  constructor(host: OpenerHost, limits: ResolvedYamuxOptions, firstId: number) {
    this.#host = host;
    this.#limits = limits;
    this.#nextId = firstId;
  }

  /** @returns undefined when the caller has to wait. */
  tryOpen(): YamuxStream | undefined {
    this.#host.checkMayOpen();
    return this.#waiting > 0 || !this.#hasRoom() ? undefined : this.#openNow();
  }

  async open(signal: AbortSignal | undefined): Promise<YamuxStream> {
    signal?.throwIfAborted();
    const stream = this.tryOpen();
    if (stream !== undefined) return stream;
    if (this.#waiting >= this.#limits.maxWaitingOpens) {
      throw new TransportError(
        "session",
        "too-many-waiting",
        `yamux: ${this.#waiting} callers wait for a stream already`,
      );
    }
    this.#line ??= new WaitingLine();
    return this.#line.wait(signal);
  }

  /** The peer has acknowledged a stream of ours. */
  acknowledged(stream: YamuxStream): void {
    if (!stream.isUnacknowledged) return;
    stream.isUnacknowledged = false;
    this.#unacknowledged--;
    this.#serve();
  }

  /** A stream of ours is over. One that was never acknowledged does not count any more. */
  ended(stream: YamuxStream): void {
    this.#open--;
    if (stream.isUnacknowledged) {
      stream.isUnacknowledged = false;
      this.#unacknowledged--;
    }
    this.#serve();
  }

  rejectAll(error: TransportError): void {
    this.#line?.rejectAll(error);
  }

  get #waiting(): number {
    return this.#line?.length ?? 0;
  }

  #hasRoom(): boolean {
    return (
      this.#unacknowledged < this.#limits.maxUnacknowledgedStreams && this.#open < this.#limits.maxStreams
    );
  }

  #serve(): void {
    const line = this.#line;
    if (line === undefined) return;
    while (line.length > 0 && this.#hasRoom()) {
      try {
        this.#host.checkMayOpen();
        line.serve(this.#openNow());
      } catch (error) {
        line.rejectAll(error);
      }
    }
  }

  #openNow(): YamuxStream {
    while (this.#host.isIdUsed(this.#nextId)) this.#nextId += 2;
    if (this.#nextId > 0xffffffff) {
      throw new TransportError("session", "ids-exhausted", "yamux: all stream ids are used; dial again");
    }
    const stream = this.#host.create(this.#nextId);
    this.#nextId += 2;
    stream.isOurs = true;
    stream.isUnacknowledged = true;
    this.#unacknowledged++;
    this.#open++;
    return stream;
  }
}
