import type { ApiError } from "../server/api-error.js";
import { authenticateAgent } from "../server/authenticate.js";
import { resolveMonitorOptions } from "../server/connection-monitor.js";
import { type ControlPlane, type ControlPlaneOptions, startControlPlane } from "../server/control-plane.js";
import { LocalEvents } from "../server/events/index.js";
import type { AgentDefinition, ControlPlaneStore, WorkspaceDefinition } from "../store/index.js";
import { type ApiVersion, type ApiVersionText, newestVersion, parseVersion } from "../version/index.js";
import { type AnswerFunction, Calls, type RpcName, type TestCall, type UnaryRpcName } from "./calls.js";
import { type Clock, machineClock } from "./clock.js";
import { Dials, type TestDial } from "./dials.js";
import { Line } from "./line.js";
import { ObservedStore } from "./observed-store.js";
import { TestAgent } from "./test-agent.js";
import { type WaitOptions, waitUntil } from "./wait.js";

/** How a test's control plane is started: as any control plane, besides what the kit needs for itself. */
export interface TestPlaneOptions
  extends Omit<ControlPlaneOptions, "store" | "events" | "host" | "port" | "nowUs" | "authenticate"> {
  /** Who may connect. By default one agent, `main` of the workspace `dev` of `ada`. */
  workspaces?: readonly WorkspaceDefinition[];
  /** What the default agent has besides its name. Not together with `workspaces`. */
  agent?: Partial<AgentDefinition>;
  /**
   * What time it is on the control plane, and the timers of `delay`. The clock of this machine by default. Timers of
   * the server's own, such as those that watch connections, follow a fake clock when it is installed.
   */
  clock?: Clock;
}

/** A control plane in this process, for tests: what has come to it, what it knows, and what can go wrong. */
export class TestPlane implements AsyncDisposable {
  /** `http://127.0.0.1:PORT`; the same for as long as it runs. */
  readonly url: string;
  /** Who may connect, in the order of the definitions. */
  readonly agents: readonly TestAgent[];
  /** All that it keeps, for what the agents' own readings do not have. */
  readonly store: ControlPlaneStore;
  readonly #options: TestPlaneOptions;
  readonly #parts: Parts;
  #current: Promise<ControlPlane>;
  #closed: Promise<void> | undefined;

  /** @internal */
  constructor(options: TestPlaneOptions, parts: Parts, first: ControlPlane, url: string) {
    this.url = url;
    this.store = parts.store;
    this.#options = options;
    this.#parts = parts;
    this.#current = Promise.resolve(first);
    const { store, events, nowUs } = parts;
    const { disconnectTimeoutMs } = resolveMonitorOptions(options.monitor);
    const flush = async () => (await this.#current).api.flush();
    this.agents = first.agents.map(
      (agent) => new TestAgent(agent, { url, store, events, nowUs, disconnectTimeoutMs, flush }),
    );
  }

  /**
   * The first agent; most tests have one.
   * @throws Error when there is none.
   */
  get agent(): TestAgent {
    const [agent] = this.agents;
    if (agent === undefined)
      throw new Error("the test plane has no agents: give it workspaces that have some");
    return agent;
  }

  /** Sessions of agents, and of tools with their tokens, that are open. */
  async sessionCount(): Promise<number> {
    return (await this.#current).api.sessionCount;
  }

  /** Answers over HTTP that go on: an agent that waits to be claimed has one. */
  async streamCount(): Promise<number> {
    return (await this.#current).api.streamCount;
  }

  // ---- what has come ----

  /**
   * The calls of an RPC that have come, oldest first; without a name, all calls. The latest 10,000 are kept. A call
   * that the version of a strict server does not have is not among them.
   */
  calls(): TestCall[];
  calls<R extends RpcName>(rpc: R): TestCall<R>[];
  calls(rpc?: RpcName): TestCall[] {
    return rpc === undefined ? this.#parts.calls.all() : this.#parts.calls.of(rpc);
  }

  /** The dials that have come, oldest first; the latest 10,000. */
  dials(): TestDial[] {
    return this.#parts.dials.all();
  }

  /** Forgets the calls and dials so far, so that the next are the first. */
  forget(): void {
    this.#parts.calls.forget();
    this.#parts.dials.forget();
  }

  /**
   * Waits for a call that fits; one that has come already is as good.
   * @param fits true for the call that is meant; any by default. What it throws means no.
   * @returns the first that fits.
   * @throws Error when there is none in time, 5,000 ms by default.
   */
  waitForCall<R extends RpcName>(
    rpc: R,
    fits: (call: TestCall<R>) => boolean = () => true,
    options?: WaitOptions,
  ): Promise<TestCall<R>> {
    return waitUntil(
      () => this.calls(rpc).find(fits),
      (ms) => `no call of ${rpc} that fits came within ${ms} ms: there came ${this.#parts.calls.summary()}`,
      options,
    );
  }

  /**
   * Waits until the function gives something else than `undefined`, `null` or `false`. What it throws, such as an
   * assertion, counts as "not yet".
   * @param what names it for the error: `"the agent is back"`.
   * @returns what the function gave.
   * @throws Error when it does not in time, 5,000 ms by default; its cause is what the function threw last.
   */
  waitFor<T>(
    what: string,
    condition: () => T | Promise<T>,
    options?: WaitOptions,
  ): Promise<Exclude<T, undefined | null | false>> {
    return waitUntil(condition, (ms) => `${what}: not within ${ms} ms`, options);
  }

  // ---- what can go wrong ----

  /** Breaks all connections off, as a network that fails: without a close of any protocol. New ones are taken. */
  cut(): void {
    this.#parts.line.cut();
  }

  /**
   * What is sent from now on takes so long, in each direction, in order; by the plane's clock. 0 ends that:
   * what is under way arrives at once.
   * @throws RangeError for a time that is negative or not finite.
   */
  delay(ms: number): void {
    if (!(ms >= 0 && Number.isFinite(ms))) {
      throw new RangeError(`a delay of ${ms} ms is not possible: give a finite number, 0 or more`);
    }
    this.#parts.line.delay(ms);
  }

  /**
   * Refuses dials of agents, and of tools with their tokens. Sessions that are open stay.
   * @param why the HTTP status, or an `ApiError` with what is to be in the body.
   * @param times how many dials; all, until `heal`, by default.
   */
  refuse(why: number | ApiError, times = Number.POSITIVE_INFINITY): void {
    this.#parts.dials.refuse(why, times);
  }

  /**
   * Fails the next calls of an RPC; the handler does not hear of them.
   * @param error a text is sent as a Go server sends a handler's error: with code 0. A `ConnectError` brings its code.
   * @param times how many calls; 1 by default.
   */
  fail(rpc: RpcName, error: Error | string, times = 1): void {
    this.#parts.calls.fail(rpc, error, times);
  }

  /**
   * Answers all calls of an RPC with a function, in place of the handler; `undefined` gives them back to it. A function
   * that does not answer leaves its callers waiting; `call.handle()` is the handler's answer.
   */
  answer<R extends UnaryRpcName>(rpc: R, answer: AnswerFunction<R> | undefined): void {
    this.#parts.calls.answer(rpc, answer);
  }

  /** Ends what `delay`, `refuse`, `fail` and `answer` have begun. */
  heal(): void {
    this.#parts.line.delay(0);
    this.#parts.dials.heal();
    this.#parts.calls.heal();
  }

  /**
   * Puts a server of another version in the place of this one, with the same port and store. Connections break off;
   * those who dial again find a server that has nothing that came later: no later RPC, field or enum value.
   * @param version such as `"2.3"`.
   */
  async downgrade(version: ApiVersionText): Promise<void> {
    await this.#replace({ serverVersion: parseVersion(version), strictVersions: true });
  }

  /** Puts a server of the newest version in the place of this one; connections break off. Also a plain restart. */
  async upgrade(): Promise<void> {
    await this.#replace({
      serverVersion: newestVersion,
      strictVersions: this.#options.strictVersions ?? false,
    });
  }

  /** Ends sessions in order, then the port. Once is enough, more do nothing. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    const current = await this.#current;
    this.#parts.line.delay(0);
    await current.close();
    await this.#parts.line.close();
  }

  async #replace(version: ServedVersion): Promise<void> {
    const before = this.#current;
    this.#current = (async () => {
      const old = await before;
      this.#parts.line.cut();
      await old.close();
      return startWith(this.#options, this.#parts, version, []);
    })();
    // who connects meanwhile waits for the next server
    this.#parts.target = this.#current;
    await this.#current;
  }
}

/** What stays when a server is replaced. */
interface Parts {
  store: ObservedStore;
  events: LocalEvents;
  calls: Calls;
  dials: Dials;
  line: Line;
  nowUs: () => number;
  /** Where new connections go. */
  target: Promise<ControlPlane>;
}

interface ServedVersion {
  serverVersion?: ApiVersion;
  strictVersions?: boolean;
}

/**
 * Starts a control plane for tests, in this process, on a free port of 127.0.0.1. It keeps everything in memory. Close
 * it, or bind it with `await using`.
 * @throws StoreConflict for workspaces that have something twice; TypeError for both `workspaces` and `agent`.
 */
export async function startTestPlane(options: TestPlaneOptions = {}): Promise<TestPlane> {
  const { clock = machineClock, agent, workspaces } = options;
  if (agent !== undefined && workspaces !== undefined) {
    throw new TypeError(
      "give startTestPlane either `agent` or `workspaces`: an agent of yours goes into them",
    );
  }
  const nowMs = () => clock.now();
  const parts: Omit<Parts, "target" | "line"> = {
    store: new ObservedStore(),
    events: new LocalEvents(),
    calls: new Calls(nowMs),
    dials: new Dials(nowMs),
    nowUs: () => Math.round(clock.now() * 1000),
  };
  const first = await startWith(
    options,
    parts,
    {},
    workspaces ?? [{ owner: "ada", name: "dev", agents: [{ name: "main", ...agent }] }],
  );
  const all: Parts = {
    ...parts,
    target: Promise.resolve(first),
    line: new Line(clock, async () => {
      const { hostname, port } = new URL((await all.target).url);
      return { host: hostname, port: Number(port) };
    }),
  };
  const url = await all.line.listen();
  return new TestPlane(options, all, first, url);
}

function startWith(
  { clock: _clock, agent: _agent, ...options }: TestPlaneOptions,
  { store, events, calls, dials, nowUs }: Omit<Parts, "target" | "line">,
  version: ServedVersion,
  workspaces: readonly WorkspaceDefinition[],
): Promise<ControlPlane> {
  return startControlPlane({
    ...options,
    ...version,
    workspaces,
    store,
    // the next server has them too
    events: {
      publish: (event) => events.publish(event),
      subscribe: (topic, subscriber) => events.subscribe(topic, subscriber),
      close: () => Promise.resolve(),
    },
    nowUs,
    interceptors: [calls.interceptor, ...(options.interceptors ?? [])],
    authenticate: (request) => {
      dials.see(request);
      return authenticateAgent(store, request.token);
    },
  });
}
