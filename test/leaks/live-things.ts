import { createHook } from "node:async_hooks";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { onTestFinished } from "vitest";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/**
 * Watches the timers that are begun and not over, until the test is over: those of the library and of what it uses,
 * unreferenced ones too.
 * @returns where the timers were made that are alive now.
 */
export function watchTimers(): () => string[] {
  const live = new Map<number, string>();
  const hook = createHook({
    init(id, type) {
      if (type !== "Timeout") return;
      const made = new Error().stack?.split("\n").find((line) => /\/src\/|\/ws\//.test(line));
      if (made !== undefined) live.set(id, made.trim());
    },
    destroy(id) {
      live.delete(id);
    },
  }).enable();
  onTestFinished(() => {
    hook.disable();
  });
  return () => [...live.values()];
}

/** Bytes of the heap that are in use, and of array buffers, once what is garbage has gone. */
export async function usedBytes(): Promise<number> {
  for (let round = 0; round < 4; round++) {
    collect();
    // finalizers, and what the loop still holds
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
