import { Cron } from "croner";
import { pause } from "../../client/pause.js";
import { errorText } from "../../rpc/error-text.js";

/** No wait is longer: a clock that is set, and a machine that slept, are noticed so soon. */
const lookAgainMs = 30_000;

/**
 * Does something at the times of a schedule, one time after the other, until the signal ends. Times that pass while
 * it is being done, or while the machine sleeps, are made up for once, not one by one.
 * @param cron five fields, or six with seconds first; `@hourly` and its like are fine.
 * @throws Error at once when the text is no schedule; the signal's reason when that ends.
 */
export async function atTimesOf(
  cron: string,
  signal: AbortSignal,
  doIt: () => Promise<unknown>,
): Promise<never> {
  const schedule = scheduleOf(cron);
  for (;;) {
    const next = schedule.nextRun();
    if (next === null) throw new Error(`the schedule "${cron}" has no time left`);
    for (let leftMs = next.getTime() - Date.now(); leftMs > 0; leftMs = next.getTime() - Date.now()) {
      await pause(Math.min(leftMs, lookAgainMs), signal);
      // the clock was set back: the next time is another one now
      if (next.getTime() - Date.now() > leftMs) break;
    }
    signal.throwIfAborted();
    if (Date.now() >= next.getTime()) await doIt();
  }
}

function scheduleOf(cron: string): Cron {
  try {
    return new Cron(cron, { paused: true });
  } catch (error) {
    const reason = errorText(error);
    throw new Error(`"${cron}" is no schedule: ${reason}`);
  }
}
