import { WaitingLine } from "../../transport/waiting-line.js";
import type { Drops } from "./drops.js";

/**
 * Values that wait to be sent, the latest for each key; those with the longest wait first. One that is replaced
 * before it was sent counts as dropped, for `superseded`.
 */
export class LatestValues<V extends object> {
  readonly #values = new Map<string, V>();
  readonly #maxKeys: number;
  readonly #drops: Drops;
  readonly #waitingForValues = new WaitingLine<void>();
  readonly #waitingForEmpty = new WaitingLine<void>();
  #underWay = new Map<string, V>();
  #changes = 0;

  constructor(maxKeys: number, drops: Drops) {
    this.#maxKeys = maxKeys;
    this.#drops = drops;
  }

  get size(): number {
    return this.#values.size;
  }

  /** Grows with every value that is set. */
  get changes(): number {
    return this.#changes;
  }

  entries(): Iterable<[key: string, value: V]> {
    return this.#values;
  }

  /** What waits longest. */
  first(): V | undefined {
    for (const value of this.#values.values()) return value;
    return undefined;
  }

  get(key: string): V | undefined {
    return this.#values.get(key);
  }

  /**
   * @param value an object of its own, which is not changed afterwards.
   * @returns false when too many keys wait already; the value is not taken then.
   */
  set(key: string, value: V): boolean {
    const before = this.#values.get(key);
    if (before === undefined && this.#values.size >= this.#maxKeys) return false;
    this.#countSuperseded(key, before);
    this.#values.set(key, value);
    this.#changes++;
    this.#waitingForValues.serve();
    return true;
  }

  /** Takes a value away. It counts as `superseded` unless it is being sent. @returns false when there is none. */
  delete(key: string): boolean {
    this.#countSuperseded(key, this.#values.get(key));
    const isThere = this.#values.delete(key);
    this.#tellWhenEmpty();
    return isThere;
  }

  /**
   * Sends some of the values, one batch at a time. They leave when that succeeds; those that are replaced meanwhile
   * wait on, behind the others.
   * @param dropReason for which reason values whose call has failed so are dropped; undefined where they stay.
   * @throws what the call throws.
   */
  async send<T>(
    batch: ReadonlyMap<string, V>,
    call: () => Promise<T>,
    dropReason: (error: unknown) => string | undefined,
  ): Promise<T> {
    this.#underWay = new Map(batch);
    try {
      const reply = await call();
      this.#settle(batch);
      return reply;
    } catch (error) {
      const reason = dropReason(error);
      if (reason === undefined) this.#countReplaced(batch);
      else {
        this.#drops.count(reason, batch.size);
        this.#settle(batch);
      }
      throw error;
    } finally {
      this.#underWay = new Map();
    }
  }

  /** Lets a value wait behind all others. */
  moveToEnd(key: string): void {
    const value = this.#values.get(key);
    if (value === undefined) return;
    this.#values.delete(key);
    this.#values.set(key, value);
  }

  /** Resolves once something waits to be sent. @throws the signal's reason when that ends first. */
  async whenSome(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (this.#values.size === 0) await this.#waitingForValues.wait(signal);
  }

  /** Resolves once nothing waits to be sent. @throws the signal's reason when that ends first. */
  async whenEmpty(signal?: AbortSignal): Promise<void> {
    if (this.#values.size > 0) await this.#waitingForEmpty.wait(signal);
  }

  #countSuperseded(key: string, value: V | undefined): void {
    if (value !== undefined && this.#underWay.get(key) !== value) this.#drops.count("superseded");
  }

  /** What has come for their keys during a call that failed takes their place. */
  #countReplaced(batch: ReadonlyMap<string, V>): void {
    for (const [key, value] of batch) if (this.#values.get(key) !== value) this.#drops.count("superseded");
  }

  #settle(batch: ReadonlyMap<string, V>): void {
    for (const [key, value] of batch) {
      if (this.#values.get(key) === value) this.#values.delete(key);
      else this.moveToEnd(key);
    }
    this.#tellWhenEmpty();
  }

  #tellWhenEmpty(): void {
    if (this.#values.size === 0) this.#waitingForEmpty.serveAll();
  }
}
