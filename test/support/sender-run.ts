import type { Sender } from "../../src/client/index-node.js";

/** Runs a sender until the end of the test's work. */
export async function running(
  sender: Pick<Sender, "run">,
  agent: never,
  work: () => Promise<void>,
): Promise<void> {
  const abort = new AbortController();
  const run = sender.run(agent, abort.signal).catch((error: unknown) => {
    if (!abort.signal.aborted) throw error;
  });
  await work();
  abort.abort();
  await run;
}
