import { signal } from "@preact/signals";
import type { GetAgentResponse, LogLine } from "../src/gen/agentwire/admin/v1/admin_pb.js";
import { type Admin, isGone, read, whatFailed } from "./admin.js";
import { setServerClock } from "./clock.js";
import { Coalesced } from "./coalesced.js";
import type { AgentFollower } from "./live.js";

const changePauseMs = 300;
const linesPauseMs = 100;
/** Samples, traffic, runs, connections and decisions come without events. */
const rereadIntervalMs = 5000;
const pageOfLines = 2000;

/** One agent with its log, as long as the page shows it. */
export class FollowedAgent implements AgentFollower {
  readonly agentId: string;
  /** Undefined until it has been read. */
  readonly details = signal<GetAgentResponse | undefined>(undefined);
  /** All lines that the server keeps, oldest first: at most 1 MiB of text. */
  readonly lines = signal<readonly LogLine[]>([]);
  /** Whether later lines were not kept. */
  readonly isOverflowed = signal(false);
  readonly isGone = signal(false);
  /** What could not be read, for people; an empty text when all could. */
  readonly trouble = signal("");
  readonly #admin: Admin;
  readonly #abort = new AbortController();
  readonly #details: Coalesced;
  readonly #lines: Coalesced;
  readonly #rereading: ReturnType<typeof setInterval>;

  constructor(admin: Admin, agentId: string) {
    this.#admin = admin;
    this.agentId = agentId;
    this.#details = new Coalesced(() => this.#guarded(() => this.#readDetails()), changePauseMs);
    this.#lines = new Coalesced(() => this.#guarded(() => this.#readLines()), linesPauseMs);
    this.#rereading = setInterval(() => {
      if (!document.hidden) this.#details.ask();
    }, rereadIntervalMs);
  }

  onAll(): void {
    this.#details.ask();
    this.#lines.ask();
  }

  onChange(): void {
    this.#details.ask();
    // that the log is full is told as a change of the agent
    this.#lines.ask();
  }

  onLines(): void {
    this.#lines.ask();
  }

  /** Reads no more. */
  end(): void {
    this.#abort.abort();
    this.#details.end();
    this.#lines.end();
    clearInterval(this.#rereading);
  }

  async #guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.trouble.value = "";
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      if (isGone(error)) {
        this.isGone.value = true;
        this.end();
      } else this.trouble.value = whatFailed(error);
    }
  }

  async #readDetails(): Promise<void> {
    const details = await this.#admin.getAgent({ agentId: this.agentId }, read(this.#abort.signal));
    setServerClock(details.now);
    this.details.value = details;
  }

  async #readLines(): Promise<void> {
    const { agentId } = this;
    for (;;) {
      const after = this.lines.value.at(-1)?.id ?? 0n;
      const { lines, isOverflowed } = await this.#admin.listLogs(
        { agentId, after, limit: pageOfLines },
        read(this.#abort.signal),
      );
      this.isOverflowed.value = isOverflowed;
      if (lines.length > 0) this.lines.value = [...this.lines.value, ...lines];
      if (lines.length < pageOfLines) return;
    }
  }
}
