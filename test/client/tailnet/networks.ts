import { onTestFinished } from "vitest";
import {
  connectTailnet,
  type NodeTailnetNetworkOptions,
  type TailnetNetwork,
} from "../../../src/client/index-node.js";
import { token } from "./tailnet-server.js";

export const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
export const bytes = (n: number) => Buffer.from(uuid(n).replaceAll("-", ""), "hex");

/** A network that ends with the test, and dials again at once. */
export function network(options: Partial<NodeTailnetNetworkOptions> & { url: string }): TailnetNetwork {
  const made = connectTailnet({ token, proxy: false, backoff: { firstMs: 1, maxMs: 2 }, ...options });
  onTestFinished(() => made.close({ timeoutMs: 100 }).then(() => {}));
  return made;
}

/** The states that an iterable gives, as they come. */
export function reading<T>(states: AsyncIterable<T>) {
  const seen: T[] = [];
  const over = (async () => {
    for await (const state of states) seen.push(state);
  })();
  over.catch(() => {});
  return { seen, over, latest: () => seen.at(-1) };
}
