import type { ResolvedOptions } from "./options.js";

/** What a heartbeat is of. */
export interface HeartbeatHost {
  /**
   * Says that it is there, as soon as it can.
   * @returns when it began to say it, of `performance.now()`.
   * @throws Error when the database refuses it.
   */
  beat(): Promise<number>;
  /** No beat has been heard for so long that others take it for gone. */
  onUnhealthy(): void;
  /** Told of beats that are refused. */
  onProblem(error: unknown): void;
}

/** Says at intervals that a coordinator is there, and notices when that is not heard. S4.25. */
export class Heartbeat {
  readonly #host: HeartbeatHost;
  readonly #options: ResolvedOptions;
  #interval: NodeJS.Timeout | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #isBeating = false;
  #isHealthy = false;
  #isStopped = false;

  constructor(host: HeartbeatHost, options: ResolvedOptions) {
    this.#host = host;
    this.#options = options;
  }

  get isHealthy(): boolean {
    return this.#isHealthy;
  }

  /** @throws what the first beat rejects with; there are no further ones then. */
  async start(): Promise<void> {
    await this.#beatOnce();
    this.#interval = setInterval(() => void this.beat(), this.#options.heartbeatIntervalMs);
    this.#interval.unref();
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#interval);
    clearTimeout(this.#deadline);
  }

  /** A beat out of turn; never rejects. */
  async beat(): Promise<void> {
    if (this.#isBeating || this.#isStopped) return;
    this.#isBeating = true;
    try {
      await this.#beatOnce();
    } catch (error) {
      if (!this.#isStopped) this.#host.onProblem(error);
    } finally {
      this.#isBeating = false;
    }
  }

  async #beatOnce(): Promise<void> {
    const startedAt = await this.#host.beat();
    if (this.#isStopped) return;
    clearTimeout(this.#deadline);
    const leftMs = this.#options.expiryMs - (performance.now() - startedAt);
    this.#deadline = setTimeout(() => this.#expire(), leftMs);
    this.#deadline.unref();
    this.#isHealthy = true;
  }

  #expire(): void {
    this.#isHealthy = false;
    this.#host.onUnhealthy();
  }
}
