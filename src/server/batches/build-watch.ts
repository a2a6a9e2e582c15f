import type { AgentStore } from "../../store/index.js";

/**
 * Which build of a workspace is the latest, asked for many workspaces in one trip. S2.8.
 */
export class BuildWatch {
  readonly #store: Pick<AgentStore, "latestBuildIds">;
  #next: { ids: Set<string>; answer: Promise<ReadonlyMap<string, string>> } | undefined;

  constructor(store: Pick<AgentStore, "latestBuildIds">) {
    this.#store = store;
  }

  /** @returns undefined where the workspace is gone. */
  async latestBuildId(workspaceId: string): Promise<string | undefined> {
    this.#next ??= this.#trip();
    this.#next.ids.add(workspaceId);
    return (await this.#next.answer).get(workspaceId);
  }

  /** Whoever asks in the same turn of the event loop goes along. */
  #trip() {
    const ids = new Set<string>();
    const answer = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      this.#next = undefined;
      return this.#store.latestBuildIds([...ids]);
    });
    return { ids, answer };
  }
}
