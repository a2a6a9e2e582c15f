import {
  type LifecycleName,
  nodeFetch,
  type ReinitEvent,
  reinitEvents,
  reinitsFor,
  type SessionEnd,
} from "../client/index-node.js";
import { AgentLife } from "./agent-life.js";
import type { AgentOptions, RunningAgent } from "./agent-options.js";
import { carefulListener } from "./careful-listener.js";
import { SubAgents } from "./sub-agents/sub-agents.js";

/**
 * Runs an agent: one connection after the other to the control plane, scripts, logs, lifecycle, metadata, app health,
 * stats, resources, banners, the agent socket, boundary logs, context and sub-agents. It carries no network traffic.
 * @throws TypeError when the URL is none.
 */
export function createAgent(options: AgentOptions): RunningAgent {
  // a mistake of the caller's is told to the caller
  new URL(options.dial.url);
  return new Agent({ ...options, onEvent: carefulListener((event) => options.onEvent?.(event)) });
}

class Agent implements RunningAgent {
  readonly subAgents = new SubAgents();
  readonly ended: Promise<SessionEnd>;
  readonly #options: AgentOptions;
  readonly #stop = new AbortController();
  #life: AgentLife;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.#life = new AgentLife(options, this.subAgents);
    this.ended = this.#run();
  }

  get state(): LifecycleName {
    return this.#life.state;
  }

  async stop(): Promise<SessionEnd> {
    this.#stop.abort(new Error("the agent stops"));
    await this.#life.stop();
    return await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #run(): Promise<SessionEnd> {
    const end = await this.#liveAgainAndAgain();
    // nobody is asked for the next life any more
    this.#stop.abort(new Error("the agent has stopped"));
    return end;
  }

  async #liveAgainAndAgain(): Promise<SessionEnd> {
    const reinits = this.#reinits();
    for (;;) {
      const life = this.#life;
      const next = await Promise.race([life.ended.then(() => undefined), nextOf(reinits)]);
      if (next === undefined || this.#stop.signal.aborted) return await life.ended;
      this.#options.onEvent?.({ kind: "reinitialising", event: next });
      await life.stop();
      const end = await life.ended;
      // asked to stop, or refused for good, in the middle of it
      if (this.#stop.signal.aborted || end.error !== undefined) return end;
      this.#life = new AgentLife(this.#options, this.subAgents);
    }
  }

  #reinits(): AsyncIterator<ReinitEvent> | undefined {
    if (this.#options.reinit !== true) return undefined;
    const { url, token, headers, proxy, tls, fetch = nodeFetch({ proxy, tls }) } = this.#options.dial;
    const events = reinitEvents({ url, token, headers, fetch, signal: this.#stop.signal });
    // a server tells of the same claim again and again
    return reinitsFor(events);
  }
}

/** The next event; never, when there is none any more. */
async function nextOf(reinits: AsyncIterator<ReinitEvent> | undefined): Promise<ReinitEvent> {
  const next = await reinits?.next().catch(() => undefined);
  if (next === undefined || next.done === true) return new Promise(() => {});
  return next.value;
}
