import { type LifecycleState, MemoryStore } from "../store/index.js";

/** The store of a test's control plane: one in memory that also knows what was there before. */
export class ObservedStore extends MemoryStore {
  readonly #lifecycles = new Map<string, LifecycleState[]>();

  /** The states that an agent has reported, oldest first. */
  lifecycles(agentId: string): readonly LifecycleState[] {
    return this.#lifecycles.get(agentId) ?? [];
  }

  override async updateLifecycle(
    agentId: string,
    change: { state: LifecycleState; startedAtUs: number | undefined; readyAtUs: number | undefined },
  ): Promise<void> {
    await super.updateLifecycle(agentId, change);
    this.#lifecycles.set(agentId, [...this.lifecycles(agentId), change.state]);
  }
}
