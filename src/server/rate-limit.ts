import { isIPv6 } from "node:net";
import { ApiError } from "./api-error.js";

/** How many requests are answered. */
export interface RateLimitOptions {
  /** Requests of a client for a path in a minute; 512 by default. 0 or less for any number. S1.3. */
  requestsPerMinute?: number;
  /** So many pairs of client and path are counted in a minute, 50,000 by default; then the oldest are forgotten. */
  maxKeys?: number;
  /** Milliseconds that only grow; the time since the process began by default. */
  nowMs?: () => number;
}

const windowMs = 60_000;
const maxKeyCharacters = 512;

/** The answer to a request too many. S1.3. */
export class RateLimited extends ApiError {
  /** When the next one is answered: for `Retry-After`. At least 1. */
  readonly retryAfterSeconds: number;

  constructor(requestsPerMinute: number, retryAfterSeconds: number) {
    super(429, `You've been rate limited for sending more than ${requestsPerMinute} requests in 1m0s.`);
    this.retryAfterSeconds = retryAfterSeconds;
  }

  /** Not true for other errors of the API, which the class above would say. */
  static override [Symbol.hasInstance](value: unknown): value is RateLimited {
    return ApiError[Symbol.hasInstance](value) && "retryAfterSeconds" in value;
  }
}

/**
 * Counts requests over the last minute: those of the current minute, and of the one before the share that is still in
 * it. Memory is bounded, and there is no timer.
 */
export class RateLimiter {
  readonly #limit: number;
  readonly #maxKeys: number;
  readonly #nowMs: () => number;
  /** The number of the minute that is counted now. */
  #window = 0;
  #current = new Map<string, number>();
  #previous = new Map<string, number>();

  constructor(options: RateLimitOptions = {}) {
    this.#limit = options.requestsPerMinute ?? 512;
    this.#maxKeys = options.maxKeys ?? 50_000;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  /** How many pairs of client and path it remembers: at most twice `maxKeys`. */
  get size(): number {
    return this.#current.size + this.#previous.size;
  }

  /**
   * Counts a request. One that is refused does not count.
   * @param client a user, or the address of a client: {@link networkOf}.
   * @param path without query.
   * @throws RateLimited when it is one too many.
   */
  count(client: string, path: string): void {
    if (this.#limit <= 0) return;
    const elapsedMs = this.#elapsedMs();
    const key = `${client} ${cleanPath(path)}`.slice(0, maxKeyCharacters);
    const count = this.#current.get(key) ?? 0;
    const before = this.#previous.get(key) ?? 0;
    if (before * (1 - elapsedMs / windowMs) + count >= this.#limit) {
      // this minute is full by itself, or together with what is left of the one before
      const fullUntilMs = count >= this.#limit ? windowMs : windowMs * (1 - (this.#limit - count) / before);
      throw new RateLimited(this.#limit, Math.max(1, Math.ceil((fullUntilMs - elapsedMs) / 1000)));
    }
    if (count === 0) this.#makeRoom();
    this.#current.set(key, count + 1);
  }

  /** How much of the minute is over. Begins a new one when it is time. */
  #elapsedMs(): number {
    const nowMs = this.#nowMs();
    const window = Math.floor(nowMs / windowMs);
    if (window > this.#window) {
      this.#previous = window === this.#window + 1 ? this.#current : new Map();
      this.#current = new Map();
      this.#window = window;
    }
    return Math.max(0, nowMs - this.#window * windowMs);
  }

  #makeRoom(): void {
    if (this.#current.size < this.#maxKeys) return;
    const [oldest] = this.#current.keys();
    if (oldest !== undefined) this.#current.delete(oldest);
  }
}

/** A path without empty parts, `.` and `..`: other spellings of a path have no limit of their own. */
export function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/**
 * Who a client is by its address: an IPv4 address, also one that is written as IPv6, or the first 64 bits of an IPv6
 * address, of which clients have all.
 */
export function networkOf(address: string | undefined): string {
  const [plain = ""] = (address ?? "").split("%", 1);
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(plain)?.[1];
  if (mapped !== undefined || !isIPv6(plain)) return mapped ?? plain;
  const [head = "", tail] = plain.split("::");
  const groups = groupsOf(head);
  if (tail !== undefined) {
    const last = groupsOf(tail);
    const count = last.length + (tail.includes(".") ? 1 : 0);
    groups.push(...Array<string>(Math.max(0, 8 - groups.length - count)).fill("0"), ...last);
  }
  const network = groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(":")}::/64`;
}

function groupsOf(text: string): string[] {
  return text === "" ? [] : text.split(":");
}
