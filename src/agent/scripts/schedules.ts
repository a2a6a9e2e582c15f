import { LinkedAbort } from "../../client/linked-abort.js";
import { formatUuid } from "../../codec/index.js";
import { errorText } from "../../rpc/error-text.js";
import { atTimesOf } from "./schedule.js";
import { type Script, scriptName } from "./script-run.js";

/** What schedules are kept with. */
export interface SchedulesOptions {
  /** Ends all of them. */
  signal: AbortSignal;
  /** Runs a script whose time has come. Never rejects. */
  run(script: Script): Promise<unknown>;
  onWarning(text: string): void;
}

/** The times of one script. */
interface Schedule {
  /** As the latest manifest has it. */
  script: Script;
  readonly abort: LinkedAbort;
  readonly ended: Promise<void>;
}

/** The scheduled scripts of the latest manifest. One that runs when a manifest comes runs on. */
export class Schedules {
  readonly #options: SchedulesOptions;
  readonly #schedules = new Map<string, Schedule>();
  /** Those that the latest manifest does not have, until what they run has ended. */
  readonly #ending = new Set<Promise<void>>();

  constructor(options: SchedulesOptions) {
    this.#options = options;
  }

  /** Keeps the times of these scripts from now on, and of no others. */
  take(scripts: readonly Script[]): void {
    const wanted = new Map(
      scripts.filter(({ cron }) => cron !== "").map((script) => [keyOf(script), script]),
    );
    for (const [key, schedule] of this.#schedules) {
      if (wanted.has(key)) continue;
      this.#schedules.delete(key);
      this.#end(schedule);
    }
    for (const [key, script] of wanted) {
      const known = this.#schedules.get(key);
      if (known === undefined) this.#schedules.set(key, this.#begin(script));
      else known.script = script;
    }
  }

  /** Resolves when all have ended, after their signal has. */
  async ended(): Promise<void> {
    await Promise.all([...this.#ending, ...[...this.#schedules.values()].map(({ ended }) => ended)]);
  }

  #begin(script: Script): Schedule {
    const abort = new LinkedAbort(this.#options.signal);
    const schedule = { script, abort, ended: Promise.resolve() };
    schedule.ended = this.#keep(schedule).finally(() => abort.release());
    return schedule;
  }

  #end({ abort, ended }: Schedule): void {
    abort.abort(new Error("the manifest has other times"));
    this.#ending.add(ended);
    void ended.then(() => this.#ending.delete(ended));
  }

  async #keep(schedule: Schedule): Promise<void> {
    const { signal } = schedule.abort;
    try {
      await atTimesOf(schedule.script.cron, signal, () => this.#options.run(schedule.script));
    } catch (error) {
      if (signal.aborted) return;
      this.#options.onWarning(`script ${scriptName(schedule.script)}: ${errorText(error)}`);
    }
  }
}

/** The same script, at the same times. A server before 2.3 has no ids for scripts. */
function keyOf({ id, logSourceId, script, cron }: Script): string {
  return `${formatUuid(id) ?? `${formatUuid(logSourceId)} ${script}`} ${cron}`;
}
