import { UpdateAppStatusRequest_AppStatusState as AppStatusState } from "../../gen/coder/agent/v2/agent_pb.js";
import { asError, errorText } from "../../rpc/error-text.js";
import { isUnimplemented } from "../../rpc/index.js";
import { type DropCounts, Drops } from "./drops.js";
import { boundOption, msOption } from "./intervals.js";
import { keepReporting } from "./keep-reporting.js";
import { LatestValues } from "./latest-values.js";
import { failureKind, throwIfRunEnds } from "./report-failure.js";
import { enumField, textField } from "./report-fields.js";
import type { AgentClient, Sender } from "./sender.js";
import { SenderRuns } from "./sender-runs.js";

/** What an app is doing. */
export interface AppStatus {
  /** Which app of the agent: its slug. */
  slug: string;
  state: AppStatusState;
  /** Servers take up to 160 bytes. Empty by default. */
  message?: string;
  /** Where to see more of it. None by default. */
  uri?: string;
}

/** How an {@link AppStatusSender} behaves. */
export interface AppStatusSenderOptions {
  /** The statuses of so many apps may wait at a time, and of so many it is known what was reported last; 256 by default. */
  maxSlugs?: number;
  /** How long to wait before a status without an answer is sent again, in milliseconds; 1 s by default. It doubles. */
  retryIntervalMs?: number;
  /** How long a report may take, in milliseconds; 30 s by default. */
  reportTimeoutMs?: number;
  /** Told of a status that the server refuses, which is dropped. */
  onRefused?(error: Error, status: AppStatus): void;
  /** Told of reports without an answer on a connection that lives on. */
  onWarning?(text: string): void;
}

type SentStatus = Required<AppStatus>;

/** The server's own limit is far below. */
const maxTextBytes = 65_536;

/**
 * Reports what apps are doing, one call at a time, the latest status of each app. A status that equals the one last
 * reported of its app is not sent: servers keep every report as news. One without an answer is sent again, so it may
 * arrive twice. Dropped are statuses that a newer one of the app replaces (`superseded`), those that the server refuses
 * (`refused`), and those of more apps than may wait (`too_many_slugs`).
 */
export class AppStatusSender implements Sender {
  readonly name = "app-status";
  readonly #runs = new SenderRuns(this.name);
  readonly #drops = new Drops();
  readonly #maxSlugs: number;
  readonly #statuses: LatestValues<SentStatus>;
  /** What the server has for certain; the longest unchanged first. */
  readonly #reported = new Map<string, SentStatus>();
  readonly #retryIntervalMs: number;
  readonly #reportTimeoutMs: number;
  readonly #options: AppStatusSenderOptions;

  /** @throws RangeError when an option is out of range. */
  constructor(options: AppStatusSenderOptions = {}) {
    this.#options = options;
    this.#maxSlugs = boundOption("maxSlugs", options.maxSlugs, 256);
    this.#statuses = new LatestValues(this.#maxSlugs, this.#drops);
    this.#retryIntervalMs = msOption("retryIntervalMs", options.retryIntervalMs, 1000);
    this.#reportTimeoutMs = msOption("reportTimeoutMs", options.reportTimeoutMs, 30_000);
  }

  /** Apps with a status that is not reported yet. */
  get pending(): number {
    return this.#statuses.size;
  }

  get dropped(): DropCounts {
    return this.#drops.byReason;
  }

  /**
   * Takes the status of an app.
   * @returns false when the statuses of too many other apps wait; this one is dropped then.
   * @throws TypeError when there is no such state, or something is no text; RangeError when a text has more than 64 KiB.
   */
  report({ slug, state, message = "", uri = "" }: AppStatus): boolean {
    const status = {
      slug: textField("an app's slug", slug, maxTextBytes),
      state: enumField("an app's state", AppStatusState, state),
      message: textField("the message of an app's status", message, maxTextBytes),
      uri: textField("the URI of an app's status", uri, maxTextBytes),
    };
    const waiting = this.#statuses.get(slug);
    if (waiting !== undefined && isSame(waiting, status)) return true;
    if (isSame(this.#reported.get(slug), status)) {
      // back to what the server has, before it heard of anything else
      this.#statuses.delete(slug);
      return true;
    }
    const isTaken = this.#statuses.set(slug, status);
    if (!isTaken) this.#drops.count("too_many_slugs");
    return isTaken;
  }

  /**
   * Reports over a connection what is not reported yet, and what comes.
   * @returns when the server does not have the RPC; the statuses stay for another.
   * @throws the signal's reason; why the connection was lost; Error when a run is under way. No refusal of the server
   * ends it.
   */
  run(agent: Pick<AgentClient, "updateAppStatus">, signal: AbortSignal): Promise<void> {
    return this.#runs.run(signal, () =>
      keepReporting(this.#statuses, {
        signal,
        retryIntervalMs: this.#retryIntervalMs,
        report: () => this.#report(agent, signal),
      }),
    );
  }

  /** Resolves once nothing waits to be sent. @throws the signal's reason when that ends first. */
  whenEmpty(signal?: AbortSignal): Promise<void> {
    return this.#statuses.whenEmpty(signal);
  }

  /** Reports the status that waits longest. @returns whether the server has said something about it. */
  async #report(agent: Pick<AgentClient, "updateAppStatus">, signal: AbortSignal): Promise<boolean> {
    const status = this.#statuses.first();
    if (status === undefined) return true;
    const batch = new Map([[status.slug, status]]);
    const call = { signal, timeoutMs: this.#reportTimeoutMs };
    // until there is an answer nobody knows what the server has
    const before = this.#reported.get(status.slug);
    this.#reported.delete(status.slug);
    try {
      await this.#statuses.send(
        batch,
        () => agent.updateAppStatus(status, call),
        (error) => (isAboutStatus(error, signal) ? "refused" : undefined),
      );
      this.#remember(status);
      return true;
    } catch (error) {
      if (isAboutStatus(error, signal)) {
        if (before !== undefined) this.#remember(before);
        this.#options.onRefused?.(asError(error), status);
        return true;
      }
      throwIfRunEnds(error, signal);
      this.#statuses.moveToEnd(status.slug);
      this.#options.onWarning?.(`app-status: ${status.slug}: ${errorText(error)}`);
      return false;
    }
  }

  #remember(status: SentStatus): void {
    this.#reported.set(status.slug, status);
    for (const [slug] of this.#reported) {
      if (this.#reported.size <= this.#maxSlugs) break;
      this.#reported.delete(slug);
    }
    // what has come meanwhile and is the same again is no news
    if (isSame(this.#statuses.get(status.slug), status)) this.#statuses.delete(status.slug);
  }
}

/** Whether the server, or the limits of the connection, do not let this status pass. */
function isAboutStatus(error: unknown, signal: AbortSignal): boolean {
  if (signal.aborted || isUnimplemented(error)) return false;
  const kind = failureKind(error);
  return kind === "refused" || kind === "unsendable";
}

function isSame(a: AppStatus | undefined, b: AppStatus): boolean {
  return a?.slug === b.slug && a.state === b.state && a.message === b.message && a.uri === b.uri;
}
