import { pause } from "../../client/pause.js";
import type { AgentSocketConnection } from "../../local/index.js";
import { goQuote } from "../../rpc/index.js";
import { SyncFailure, step } from "./step.js";
import { list } from "./text.js";

/** How a unit is started. */
export interface StartFacts {
  unit: string;
  /** How often it is asked whether the unit is ready. */
  pollIntervalMs: number;
  /** Ends when the time-out of the command has passed, or it is interrupted. */
  signal: AbortSignal;
  /** Whether that was the time-out. */
  hasTimedOut: () => boolean;
  /** Takes the lines to print. */
  print: (line: string) => void;
}

type Calls = AgentSocketConnection["agentSocket"];

/**
 * Waits until all that a unit depends on is done, and starts it. C5.35.
 * @throws SyncFailure with the text of C5.34.
 */
export async function startUnit(calls: Calls, facts: StartFacts): Promise<void> {
  const { unit, signal, print } = facts;
  const name = goQuote(unit);
  const { isReady, dependencies } = await step("get status failed", calls.syncStatus({ unit }, { signal }));
  const all = dependencies.map(({ dependsOn }) => dependsOn).sort();
  const missing = dependencies
    .filter(({ isSatisfied }) => !isSatisfied)
    .map(({ dependsOn }) => dependsOn)
    .sort();
  if (!isReady) {
    print(`Unit ${name} is waiting for dependencies to be satisfied: ${list(missing)}`);
    await untilReady(calls, facts);
  }
  await step("start unit failed", calls.syncStart({ unit }, { signal }));
  if (!isReady) print(`Unit ${name} finished waiting for dependencies: ${list(missing)}`);
  else if (all.length === 0) print(`Unit ${name} started with no dependencies`);
  else print(`Unit ${name} started immediately, dependencies already satisfied: ${list(all)}`);
}

async function untilReady(calls: Calls, facts: StartFacts): Promise<void> {
  const { unit, pollIntervalMs, signal, hasTimedOut } = facts;
  for (;;) {
    try {
      await pause(pollIntervalMs, signal);
      const asked = step("sync ready", calls.syncReady({ unit }, { signal }));
      if ((await step("error checking dependencies", asked)).ready) return;
    } catch (error) {
      if (hasTimedOut()) throw new SyncFailure(`timeout waiting for dependencies of unit '${unit}'`, error);
      throw error;
    }
  }
}
