import { type Clock, letThingsHappen } from "./clock.js";

/** How a fake clock is made. */
export interface FakeClockOptions {
  /** Where it stands at first, in milliseconds since 1970; the present time by default. */
  startMs?: number;
}

/** The longest delay of a timer; a longer one counts as 1 ms, as it does in Node. */
const maxDelayMs = 2 ** 31 - 1;

/** A timer of a fake clock; it can do what one of Node can. */
class FakeTimer {
  readonly clock: FakeClock;
  readonly run: () => void;
  readonly delayMs: number;
  readonly isRepeated: boolean;
  dueMs: number;
  #hasRef = true;

  constructor(clock: FakeClock, run: () => void, delayMs: number, isRepeated: boolean) {
    this.clock = clock;
    this.run = run;
    this.delayMs = delayMs >= 1 && delayMs <= maxDelayMs ? delayMs : 1;
    this.isRepeated = isRepeated;
    this.dueMs = clock.now() + this.delayMs;
  }

  ref(): this {
    this.#hasRef = true;
    return this;
  }

  unref(): this {
    this.#hasRef = false;
    return this;
  }

  hasRef(): boolean {
    return this.#hasRef;
  }

  refresh(): this {
    this.dueMs = this.clock.now() + this.delayMs;
    return this;
  }

  close(): this {
    this.clock.clearTimeout(this);
    return this;
  }
}

type Callback = (...args: unknown[]) => void;

/**
 * A clock that stands still until a test moves it. Give it to what takes a clock, such as `startTestPlane`; for all
 * that takes none, `install` it. An object, not a mode: two clocks know nothing of each other.
 */
export class FakeClock implements Clock {
  readonly #startMs: number;
  #nowMs: number;
  /** In the order in which they were set. */
  readonly #timers = new Set<FakeTimer>();
  #isAdvancing = false;
  #uninstall: (() => void) | undefined;

  constructor(options: FakeClockOptions = {}) {
    this.#startMs = options.startMs ?? Date.now();
    this.#nowMs = this.#startMs;
  }

  /** Milliseconds since 1970. */
  now(): number {
    return this.#nowMs;
  }

  /** Timers that have not run and were not cleared; one that repeats is one. */
  get pendingCount(): number {
    return this.#timers.size;
  }

  /** As the global function: runs once, when the clock has moved so far. At least 1 ms. */
  setTimeout(callback: Callback, delayMs = 0, ...args: unknown[]): unknown {
    return this.#set(callback, delayMs, args, false);
  }

  /** As the global function: runs each time the clock has moved so far. At least 1 ms. */
  setInterval(callback: Callback, delayMs = 0, ...args: unknown[]): unknown {
    return this.#set(callback, delayMs, args, true);
  }

  /** As the global function. What is no timer of this clock is passed over. */
  clearTimeout(timer: unknown): void {
    if (timer instanceof FakeTimer) this.#timers.delete(timer);
  }

  /** The same as `clearTimeout`, as with the global functions. */
  clearInterval(timer: unknown): void {
    this.clearTimeout(timer);
  }

  /**
   * Moves the clock: timers that are due on the way run, each at its time, the earlier first. After each, sockets and
   * promises of this process get some rounds of the event loop. What needs other processes may need longer: wait for
   * it with `waitFor`.
   * @param ms how far, 0 or more. With 0 only what is due now runs.
   * @throws RangeError for a time that is not finite, or goes back; Error when the clock is being moved already;
   * whatever a timer throws.
   */
  async advance(ms: number): Promise<void> {
    if (!(ms >= 0 && Number.isFinite(ms))) {
      throw new RangeError(`a clock cannot advance by ${ms} ms: give a finite number, 0 or more`);
    }
    if (this.#isAdvancing) throw new Error("the clock is being advanced already: await that first");
    this.#isAdvancing = true;
    try {
      const endMs = this.#nowMs + ms;
      await letThingsHappen();
      for (let timer = this.#nextUntil(endMs); timer !== undefined; timer = this.#nextUntil(endMs)) {
        this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
        if (timer.isRepeated) timer.dueMs += timer.delayMs;
        else this.#timers.delete(timer);
        timer.run();
        await letThingsHappen();
      }
      this.#nowMs = endMs;
    } finally {
      this.#isAdvancing = false;
    }
  }

  /**
   * Puts this clock in the place of the global `setTimeout`, `setInterval`, their `clear…`, `Date` and
   * `performance.now`, for everything in this process. Timers that were set before stay real; so do `setImmediate`,
   * `node:timers/promises` and `AbortSignal.timeout`.
   * @returns what takes it off again; also the end of a `using` block.
   * @throws Error when it is installed already.
   */
  install(): Disposable & (() => void) {
    if (this.#uninstall !== undefined) throw new Error("the clock is installed already");
    const global = globalThis as unknown as Record<string, unknown>;
    const performanceNow = Object.getOwnPropertyDescriptor(performance, "now");
    const originMs = performance.timeOrigin;
    const fakes: Record<string, unknown> = {
      setTimeout: (callback: Callback, delayMs?: number, ...args: unknown[]) =>
        this.setTimeout(callback, delayMs, ...args),
      setInterval: (callback: Callback, delayMs?: number, ...args: unknown[]) =>
        this.setInterval(callback, delayMs, ...args),
      ...this.#clearing("clearTimeout"),
      ...this.#clearing("clearInterval"),
      Date: this.#dateClass(),
    };
    const real = Object.fromEntries(Object.keys(fakes).map((name) => [name, global[name]]));
    Object.assign(global, fakes);
    Object.defineProperty(performance, "now", {
      value: () => this.#nowMs - originMs,
      configurable: true,
      writable: true,
    });
    const uninstall = () => {
      if (this.#uninstall !== uninstall) return;
      this.#uninstall = undefined;
      Object.assign(global, real);
      if (performanceNow === undefined) Reflect.deleteProperty(performance, "now");
      else Object.defineProperty(performance, "now", performanceNow);
    };
    this.#uninstall = uninstall;
    return Object.assign(uninstall, { [Symbol.dispose]: uninstall });
  }

  #set(callback: Callback, delayMs: number, args: unknown[], isRepeated: boolean): FakeTimer {
    const timer = new FakeTimer(this, () => callback(...args), delayMs, isRepeated);
    this.#timers.add(timer);
    return timer;
  }

  /** The next timer that is due; of equally early ones the one that was set first. */
  #nextUntil(endMs: number): FakeTimer | undefined {
    let next: FakeTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs <= endMs && (next === undefined || timer.dueMs < next.dueMs)) next = timer;
    }
    return next;
  }

  /** A timer that was set before the clock was installed is a real one, and is cleared as such. */
  #clearing(name: "clearTimeout" | "clearInterval"): Record<string, unknown> {
    const real = globalThis[name];
    return {
      [name]: (timer: unknown) => {
        if (timer instanceof FakeTimer) timer.close();
        else real(timer as Parameters<typeof real>[0]);
      },
    };
  }

  #dateClass(): DateConstructor {
    return new Proxy(Date, {
      construct: (target, args, newTarget) =>
        Reflect.construct(target, args.length === 0 ? [this.#nowMs] : args, newTarget),
      apply: (target) => new target(this.#nowMs).toString(),
      get: (target, name, receiver) =>
        name === "now" ? () => this.#nowMs : Reflect.get(target, name, receiver),
    });
  }
}
