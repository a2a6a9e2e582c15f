import { nilUuid } from "../codec/index.js";
import type { AgentStore } from "../store/index.js";

/** A store that has not answered in so long is not ready. */
const storeTimeoutMs = 5_000;

/**
 * Asks a store for something that nobody has, for five seconds at most.
 * @returns why it cannot be used; undefined when it can.
 */
export async function pingStore(store: Pick<AgentStore, "workspace">): Promise<string | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve("the store does not answer"), storeTimeoutMs);
  });
  const asked = store.workspace(nilUuid).then(
    () => undefined,
    () => "the store fails",
  );
  const reason = await Promise.race([asked, late]);
  clearTimeout(timer);
  return reason;
}
