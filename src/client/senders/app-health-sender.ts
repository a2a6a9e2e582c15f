import { formatUuid } from "../../codec/index.js";
import { AppHealth } from "../../gen/coder/agent/v2/agent_pb.js";
import { errorText } from "../../rpc/error-text.js";
import { type DropCounts, Drops } from "./drops.js";
import { boundOption, msOption } from "./intervals.js";
import { keepReporting } from "./keep-reporting.js";
import { LatestValues } from "./latest-values.js";
import { throwIfRunEnds } from "./report-failure.js";
import { enumField, uuidField, uuidText } from "./report-fields.js";
import type { AgentClient, Sender } from "./sender.js";
import { SenderRuns } from "./sender-runs.js";

/** How an {@link AppHealthSender} behaves. */
export interface AppHealthSenderOptions {
  /** It keeps the health of so many apps; 1,024 by default. */
  maxApps?: number;
  /** How long changes are gathered before they are reported together, in milliseconds; 1 s by default. C4.47. */
  reportIntervalMs?: number;
  /** How long a report may take, in milliseconds; 30 s by default. */
  reportTimeoutMs?: number;
  /** Told of reports that fail on a connection that lives on. */
  onWarning?(text: string): void;
}

interface Health {
  id: Uint8Array;
  health: AppHealth;
}

/**
 * Reports the health of apps: that of all apps, whenever that of one has changed since the last report that succeeded
 * (C4.47). A report that fails is sent again, at the next change or after a wait that doubles up to 30 intervals, and
 * at once on the next connection; so a health may arrive twice. Dropped are changes that a newer one replaces
 * (`superseded`), and apps beyond the bound (`too_many_apps`).
 */
export class AppHealthSender implements Sender {
  readonly name = "app-health";
  readonly #runs = new SenderRuns(this.name);
  readonly #drops = new Drops();
  readonly #maxApps: number;
  readonly #healths = new Map<string, Health>();
  readonly #changes: LatestValues<Health>;
  readonly #reportIntervalMs: number;
  readonly #reportTimeoutMs: number;
  readonly #onWarning: (text: string) => void;

  /** @throws RangeError when an option is out of range. */
  constructor(options: AppHealthSenderOptions = {}) {
    this.#maxApps = boundOption("maxApps", options.maxApps, 1024);
    this.#changes = new LatestValues(this.#maxApps, this.#drops);
    this.#reportIntervalMs = msOption("reportIntervalMs", options.reportIntervalMs, 1000);
    this.#reportTimeoutMs = msOption("reportTimeoutMs", options.reportTimeoutMs, 30_000);
    this.#onWarning = (text) => options.onWarning?.(text);
  }

  /** Apps whose health has changed since the last report. */
  get pending(): number {
    return this.#changes.size;
  }

  get dropped(): DropCounts {
    return this.#drops.byReason;
  }

  /**
   * Takes the health of an app. The same as before changes nothing.
   * @param appId the app's UUID, as text or as its 16 bytes.
   * @returns false when there are too many other apps; this one is dropped then.
   * @throws TypeError when the id is no UUID, or there is no such health; `APP_HEALTH_UNSPECIFIED` is none.
   */
  set(appId: string | Uint8Array, health: AppHealth): boolean {
    const id = uuidField("an app's id", appId);
    if (enumField("an app's health", AppHealth, health) === AppHealth.APP_HEALTH_UNSPECIFIED) {
      throw new TypeError("an app's health is known: servers refuse APP_HEALTH_UNSPECIFIED");
    }
    const key = formatUuid(id) ?? "";
    const before = this.#healths.get(key);
    if (before?.health === health) return true;
    if (before === undefined && this.#healths.size >= this.#maxApps) {
      this.#drops.count("too_many_apps");
      return false;
    }
    const changed = { id, health };
    this.#healths.set(key, changed);
    return this.#changes.set(key, changed);
  }

  /**
   * Forgets an app, as when a new manifest does not have it: a server refuses a report that names an app it does not
   * know.
   * @returns false when it is not known here either.
   * @throws TypeError when the id is no UUID.
   */
  delete(appId: string | Uint8Array): boolean {
    const key = uuidText("an app's id", appId);
    this.#changes.delete(key);
    return this.#healths.delete(key);
  }

  /**
   * Reports over a connection what has changed, and what will.
   * @returns when the server does not have the RPC; the changes stay for another.
   * @throws the signal's reason; why the connection was lost; Error when a run is under way. No refusal of the server
   * ends it (C4.19).
   */
  run(agent: Pick<AgentClient, "batchUpdateAppHealths">, signal: AbortSignal): Promise<void> {
    return this.#runs.run(signal, () =>
      keepReporting(this.#changes, {
        signal,
        gatherMs: this.#reportIntervalMs,
        retryIntervalMs: this.#reportIntervalMs,
        report: () => this.#report(agent, signal),
      }),
    );
  }

  /** Resolves once all changes are reported. @throws the signal's reason when that ends first. */
  whenEmpty(signal?: AbortSignal): Promise<void> {
    return this.#changes.whenEmpty(signal);
  }

  async #report(agent: Pick<AgentClient, "batchUpdateAppHealths">, signal: AbortSignal): Promise<boolean> {
    const updates = [...this.#healths.values()];
    try {
      await this.#changes.send(
        new Map(this.#changes.entries()),
        () => agent.batchUpdateAppHealths({ updates }, { signal, timeoutMs: this.#reportTimeoutMs }),
        () => undefined,
      );
      return true;
    } catch (error) {
      throwIfRunEnds(error, signal);
      this.#onWarning(`app-health: ${errorText(error)}`);
      return false;
    }
  }
}
