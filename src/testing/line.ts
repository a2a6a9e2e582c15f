import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { Clock } from "./clock.js";

/** Where a line leads. */
export interface LineTarget {
  host: string;
  port: number;
}

/** So many bytes wait in one direction of a connection; then no more are read. */
const maxWaitingBytes = 1024 * 1024;

/**
 * A TCP port in front of a server, on which connections can be cut and slowed down. What goes through is not looked
 * at.
 */
export class Line {
  readonly #clock: Clock;
  readonly #target: () => Promise<LineTarget>;
  readonly #listener: Server;
  readonly #sockets = new Set<Socket>();
  readonly #lanes = new Set<Lane>();
  #delayMs = 0;

  /** @param target asked for each connection; it waits until there is one. */
  constructor(clock: Clock, target: () => Promise<LineTarget>) {
    this.#clock = clock;
    this.#target = target;
    this.#listener = createServer({ allowHalfOpen: true }, (socket) => void this.#connect(socket));
  }

  /** @returns `http://127.0.0.1:PORT`. */
  async listen(): Promise<string> {
    this.#listener.listen(0, "127.0.0.1");
    await once(this.#listener, "listening");
    return `http://127.0.0.1:${(this.#listener.address() as AddressInfo).port}`;
  }

  /** What comes from now on takes so long in each direction. With 0, what is under way arrives at once. */
  delay(ms: number): void {
    this.#delayMs = ms;
    if (ms === 0) for (const lane of this.#lanes) lane.hurry();
  }

  /** Ends all connections as a broken line does: without a word of the protocols on them. */
  cut(): void {
    for (const lane of this.#lanes) lane.drop();
    this.#lanes.clear();
    for (const socket of this.#sockets) socket.resetAndDestroy();
    this.#sockets.clear();
  }

  async close(): Promise<void> {
    const closed = once(this.#listener, "close");
    this.#listener.close();
    this.cut();
    await closed;
  }

  async #connect(near: Socket): Promise<void> {
    this.#watch(near);
    const target = await this.#target();
    if (near.destroyed) return;
    const far = connect({ ...target, allowHalfOpen: true });
    this.#watch(far);
    near.once("close", () => far.destroy());
    far.once("close", () => near.destroy());
    for (const socket of [near, far]) socket.setNoDelay(true);
    for (const lane of [this.#lane(near, far), this.#lane(far, near)]) {
      this.#lanes.add(lane);
      near.once("close", () => {
        lane.drop();
        this.#lanes.delete(lane);
      });
    }
  }

  #lane(from: Socket, to: Socket): Lane {
    return new Lane(from, to, this.#clock, () => this.#delayMs);
  }

  #watch(socket: Socket): void {
    this.#sockets.add(socket);
    // the other side hears of it by the end of its own socket
    socket.on("error", () => socket.destroy());
    socket.once("close", () => this.#sockets.delete(socket));
  }
}

/** What waits in a lane: bytes, or the end. */
interface Waiting {
  bytes: Buffer | undefined;
  dueMs: number;
}

/** One direction of a connection: bytes go on in order, each when it is due. */
class Lane {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #clock: Clock;
  readonly #delayMs: () => number;
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #isFull = false;
  #timer: unknown;

  constructor(from: Socket, to: Socket, clock: Clock, delayMs: () => number) {
    this.#from = from;
    this.#to = to;
    this.#clock = clock;
    this.#delayMs = delayMs;
    from.on("data", (bytes: Buffer) => this.#take(bytes));
    from.once("end", () => this.#take(undefined));
    to.on("drain", () => {
      this.#isFull = false;
      this.#readOn();
    });
  }

  /** Sends all that waits, now. */
  hurry(): void {
    for (const waiting of this.#waiting) waiting.dueMs = this.#clock.now();
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#release();
  }

  /** Forgets what waits. */
  drop(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiting.length = 0;
  }

  #take(bytes: Buffer | undefined): void {
    const delayMs = this.#delayMs();
    if (delayMs === 0 && this.#waiting.length === 0) {
      this.#send(bytes);
      return;
    }
    this.#waiting.push({ bytes, dueMs: this.#clock.now() + delayMs });
    this.#waitingBytes += bytes?.length ?? 0;
    if (this.#waitingBytes > maxWaitingBytes) this.#from.pause();
    this.#arm();
  }

  #arm(): void {
    const [next] = this.#waiting;
    if (next === undefined || this.#timer !== undefined) return;
    const waitMs = Math.max(0, next.dueMs - this.#clock.now());
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = undefined;
      this.#release();
    }, waitMs);
  }

  #release(): void {
    const nowMs = this.#clock.now();
    for (let next = this.#waiting[0]; next !== undefined && next.dueMs <= nowMs; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#waitingBytes -= next.bytes?.length ?? 0;
      this.#send(next.bytes);
    }
    this.#readOn();
    this.#arm();
  }

  #send(bytes: Buffer | undefined): void {
    if (bytes === undefined) {
      this.#to.end();
    } else if (!this.#to.write(bytes)) {
      this.#isFull = true;
      this.#from.pause();
    }
  }

  #readOn(): void {
    if (!this.#isFull && this.#waitingBytes <= maxWaitingBytes) this.#from.resume();
  }
}
