import { type AgentStatus, agentStatus } from "../server/agent-status.js";
import { claimWorkspace } from "../server/claim-workspace.js";
import type { Events } from "../server/events/index.js";
import type { AppState, DefinedAgent, LifecycleState, StatsRecord } from "../store/index.js";
import type { ObservedStore } from "./observed-store.js";
import { type WaitOptions, waitUntil } from "./wait.js";

/** What agents of a test's control plane look things up with. */
export interface TestAgentSource {
  url: string;
  store: ObservedStore;
  events: Events;
  /** Stores what waits to be stored. */
  flush(): Promise<void>;
  nowUs(): number;
  disconnectTimeoutMs: number;
}

/** A status that an app reported, as tests compare it. */
export interface TestAppStatus {
  /** The app. */
  slug: string;
  state: AppState;
  message: string;
  /** An empty text where there was none. */
  uri: string;
}

/** A value of a metadata key. */
export interface TestMetadata {
  value: string;
  /** Why there is no value; an empty text where there is one. */
  error: string;
}

/** Readings take so many records at most. */
const maxRecords = 100_000;

/**
 * An agent that may connect, and what the control plane knows of it. What begins with `expect` waits until it is so,
 * by default for 5,000 ms, and throws one sentence that says what there is instead.
 */
export class TestAgent {
  /** The UUID that the control plane gave it. */
  readonly id: string;
  /** Its name in the workspace. */
  readonly name: string;
  /** The name of its workspace. */
  readonly workspace: string;
  /** The name of the workspace's owner. */
  readonly owner: string;
  /** What to dial. */
  readonly url: string;
  /** What to dial with. */
  readonly token: string;
  readonly #source: TestAgentSource;

  /** @internal */
  constructor(defined: DefinedAgent, source: TestAgentSource) {
    this.id = defined.id;
    this.name = defined.agent;
    this.workspace = defined.workspace;
    this.owner = defined.owner;
    this.url = source.url;
    this.token = defined.token;
    this.#source = source;
  }

  /** What to dial, and with what: `dialAgent({ ...agent.target, role: "my-tool" })`. */
  get target(): { url: string; token: string } {
    return { url: this.url, token: this.token };
  }

  /** The lines of its log, oldest first. */
  async logs(): Promise<string[]> {
    return (await this.#source.store.logs(this.id, 0, maxRecords)).map(({ output }) => output);
  }

  /** The states of its life that it has reported, oldest first. */
  lifecycles(): readonly LifecycleState[] {
    return this.#source.store.lifecycles(this.id);
  }

  /** The values of its metadata so far, by key. What it has just sent is there too. */
  async metadata(): Promise<Record<string, TestMetadata>> {
    await this.#source.flush();
    const { metadata } = await this.#source.store.manifestRecords(this.id);
    return Object.fromEntries(metadata.map(({ key, value, error }) => [key, { value, error }]));
  }

  /** What its apps have said of themselves, oldest first. */
  async appStatuses(): Promise<TestAppStatus[]> {
    const { store } = this.#source;
    const slugs = new Map((await store.apps(this.id)).map(({ id, slug }) => [id, slug]));
    const statuses = await store.appStatuses({ agentId: this.id }, maxRecords);
    return [...statuses]
      .reverse()
      .map(({ appId, state, message, uri = "" }) => ({ slug: slugs.get(appId) ?? "", state, message, uri }));
  }

  /** Its reports of network traffic, oldest first. */
  async stats(): Promise<readonly StatsRecord[]> {
    await this.#source.flush();
    return (await this.#source.store.reports(this.id, maxRecords)).stats;
  }

  /** Whether it is connected, by the plane's clock. */
  async status(): Promise<AgentStatus> {
    const record = await this.#source.store.agent(this.id);
    if (record === undefined) return "disconnected";
    return agentStatus(record, this.#source.nowUs(), this.#source.disconnectTimeoutMs).status;
  }

  /**
   * A line of its log is, or matches, the pattern.
   * @throws Error when there is none in time.
   */
  async expectLogs(pattern: string | RegExp, options?: WaitOptions): Promise<void> {
    await waitUntil(
      async () => (await this.logs()).some((line) => fits(line, pattern)),
      async (ms) =>
        `no line of ${this.#called("log")} was ${asText(pattern)} within ${ms} ms: ${listed(await this.logs())}`,
      options,
    );
  }

  /**
   * It has reported these states, in this order; others may be between them.
   * @throws Error when it has not in time.
   */
  async expectLifecycle(
    states: LifecycleState | readonly LifecycleState[],
    options?: WaitOptions,
  ): Promise<void> {
    const all = typeof states === "string" ? [states] : states;
    await waitUntil(
      () => hasInOrder(this.lifecycles(), all),
      (ms) =>
        `${this.#called()} did not report ${all.join(", ")} within ${ms} ms: ${listed(this.lifecycles())}`,
      options,
    );
  }

  /**
   * The latest value of a metadata key is, or matches, the pattern.
   * @throws Error when it is not so in time.
   */
  async expectMetadata(key: string, pattern: string | RegExp, options?: WaitOptions): Promise<void> {
    await waitUntil(
      async () => {
        const value = (await this.metadata())[key]?.value;
        return value !== undefined && fits(value, pattern);
      },
      async (ms) => {
        const there = JSON.stringify((await this.metadata())[key]) ?? "the agent has no such key";
        return `the metadata "${key}" of ${this.#called()} is not ${asText(pattern)} after ${ms} ms: ${there}`;
      },
      options,
    );
  }

  /**
   * An app has reported a status that has all of this.
   * @throws Error when none has in time.
   */
  async expectAppStatus(status: Partial<TestAppStatus>, options?: WaitOptions): Promise<void> {
    const keys = Object.keys(status) as (keyof TestAppStatus)[];
    await waitUntil(
      async () => (await this.appStatuses()).some((one) => keys.every((key) => one[key] === status[key])),
      async (ms) => {
        const all = (await this.appStatuses()).map((one) => JSON.stringify(one));
        return `no app of ${this.#called()} reported ${JSON.stringify(status)} within ${ms} ms: ${listed(all)}`;
      },
      options,
    );
  }

  /**
   * It is connected, or whatever status is given.
   * @throws Error when it is not in time.
   */
  async expectStatus(status: AgentStatus, options?: WaitOptions): Promise<void> {
    await waitUntil(
      async () => (await this.status()) === status,
      async (ms) => `${this.#called()} was not ${status} within ${ms} ms: it is ${await this.status()}`,
      options,
    );
  }

  /**
   * Gives its workspace, which was defined with `isPrebuilt`, to a user. The agent is told to begin anew.
   * @returns the agent of the workspace that the user now has: the same token, and readings of its own.
   * @throws StoreConflict when somebody has the workspace already, or the user one of that name; Error when this agent
   * is gone.
   */
  async claim(owner: string, name: string): Promise<TestAgent> {
    const { store } = this.#source;
    const record = await store.agent(this.id);
    const before = record && (await store.workspace(record.workspaceId));
    if (before === undefined) throw new Error(`${this.#called()} is gone: its workspace cannot be claimed`);
    const { workspace } = await claimWorkspace(this.#source, before, owner, name);
    const agent = await store.agentByToken(this.token);
    const { name: agentName, token, id } = this;
    const { ownerId } = workspace;
    const defined = { id: agent?.id ?? id, agent: agentName, token, workspace: name, owner, ownerId };
    return new TestAgent(defined, this.#source);
  }

  #called(what?: string): string {
    const name = `${this.owner}/${this.workspace}.${this.name}`;
    return what === undefined ? `the agent ${name}` : `the ${what} of the agent ${name}`;
  }
}

function fits(text: string, pattern: string | RegExp): boolean {
  // a pattern with the flag g or y begins where it ended the last time
  return typeof pattern === "string" ? text === pattern : text.search(pattern) >= 0;
}

function asText(pattern: string | RegExp): string {
  return typeof pattern === "string" ? JSON.stringify(pattern) : String(pattern);
}

/** The last few, for errors. */
function listed(all: readonly string[]): string {
  if (all.length === 0) return "there is nothing";
  const shown = all.slice(-5).map((text) => JSON.stringify(text.slice(0, 200)));
  return `${all.length > shown.length ? `the last ${shown.length} of ${all.length} are` : "there is"} ${shown.join(", ")}`;
}

function hasInOrder(all: readonly string[], wantedStates: readonly string[]): boolean {
  let next = 0;
  for (const state of all) if (state === wantedStates[next]) next++;
  return next >= wantedStates.length;
}
