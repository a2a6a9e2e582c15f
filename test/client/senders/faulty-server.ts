import { getEventListeners } from "node:events";
import { Code } from "@connectrpc/connect";
import fc from "fast-check";
import { vi } from "vitest";
import type { AgentClient, Sender } from "../../../src/client/index-node.js";
import { pause } from "../../../src/client/pause.js";
import { RpcError } from "../../../src/rpc/index.js";

/** What becomes of one call. */
export type Fault =
  /** It is answered, after a delay. */
  | { kind: "ok"; delayMs: number }
  /** The server says no, and nothing has happened. */
  | { kind: "refused"; delayMs: number }
  /** The connection is lost before the server has done anything. */
  | { kind: "cut-before"; delayMs: number }
  /** The connection is lost after the server has done it: the answer is lost. */
  | { kind: "cut-after"; delayMs: number }
  /** There is no answer until the caller gives up; the server has done it. */
  | { kind: "hangs"; delayMs: number };

/** Faults in the order of the calls, from the start again when they are used up. */
export const faults = fc.array(
  fc.record({
    kind: fc.constantFrom<Fault["kind"][]>("ok", "ok", "ok", "refused", "cut-before", "cut-after", "hangs"),
    delayMs: fc.constantFrom(0, 0, 1, 500, 3000),
  }),
  { minLength: 1, maxLength: 12 },
);

/** Milliseconds after which connections are lost, whatever goes on; undefined for not. */
export const lifetimes = fc.array(fc.option(fc.constantFrom(1, 700, 2500, 20_000), { nil: undefined }), {
  minLength: 1,
  maxLength: 6,
});

/** A call that has reached the server. */
export interface Arrival {
  rpc: string;
  // what a request holds is the test's business
  // biome-ignore lint/suspicious/noExplicitAny: requests of all RPCs
  request: any;
  /** Whether its caller had the answer. */
  isAnswered: boolean;
  wasRefused: boolean;
}

export interface FaultyConnection {
  agent: AgentClient;
  signal: AbortSignal;
  cut(): void;
}

/**
 * A server in this process that loses connections and answers, refuses and delays as it is told, until it is `quiet`.
 */
export class FaultyServer {
  readonly arrivals: Arrival[] = [];
  /** All calls, those included that were lost on their way. */
  readonly attempts: Arrival[] = [];
  /** What RPCs answer, where an empty answer is not enough. */
  readonly replies: Record<string, unknown> = {};
  isQuiet = false;
  #mostAtOnce = 0;
  #underWay = 0;
  #calls = 0;
  #connections = 0;
  readonly #faults: readonly Fault[];
  readonly #lifetimes: readonly (number | undefined)[];

  constructor(faults: readonly Fault[] = [], lifetimes: readonly (number | undefined)[] = []) {
    this.#faults = faults;
    this.#lifetimes = lifetimes;
  }

  /** The most calls that were under way at one time. */
  get mostAtOnce(): number {
    return this.#mostAtOnce;
  }

  requests(rpc: string) {
    return this.arrivals.filter((arrival) => arrival.rpc === rpc).map(({ request }) => request);
  }

  connect(): FaultyConnection {
    const scope = new AbortController();
    const lifetimeMs = this.#lifetimes[this.#connections++ % Math.max(1, this.#lifetimes.length)];
    const timer = lifetimeMs === undefined || this.isQuiet ? undefined : setTimeout(() => cut(), lifetimeMs);
    const cut = () => {
      clearTimeout(timer);
      scope.abort(new Error("the connection is lost"));
    };
    const agent = new Proxy({} as AgentClient, {
      get: (_, rpc: string) => (request: unknown, options: { signal: AbortSignal; timeoutMs?: number }) =>
        this.#call(rpc, request, options, cut),
    });
    return { agent, signal: scope.signal, cut };
  }

  /**
   * Runs a sender over one connection after the other until the signal ends.
   * @returns how many listeners its runs have left behind.
   */
  async keepRunning(sender: Sender, end: AbortSignal): Promise<number> {
    let left = 0;
    while (!end.aborted) {
      const { agent, signal, cut } = this.connect();
      end.addEventListener("abort", cut);
      await sender.run(agent, signal).catch(() => {});
      end.removeEventListener("abort", cut);
      left += getEventListeners(signal, "abort").length;
      cut();
      await pause(100, end).catch(() => {});
    }
    return left;
  }

  async #call(
    rpc: string,
    request: unknown,
    { signal, timeoutMs = 60_000 }: { signal: AbortSignal; timeoutMs?: number },
    cut: () => void,
  ): Promise<unknown> {
    const fault: Fault = this.isQuiet
      ? { kind: "ok", delayMs: 1 }
      : (this.#faults[this.#calls++ % Math.max(1, this.#faults.length)] ?? { kind: "ok", delayMs: 1 });
    const arrival: Arrival = { rpc, request: structuredClone(request), isAnswered: false, wasRefused: false };
    this.attempts.push(arrival);
    this.#mostAtOnce = Math.max(this.#mostAtOnce, ++this.#underWay);
    try {
      await pause(fault.delayMs, signal);
      if (fault.kind === "refused") {
        arrival.wasRefused = true;
        throw refusal("not today");
      }
      if (fault.kind !== "cut-before") this.arrivals.push(arrival);
      if (fault.kind === "hangs") {
        await pause(timeoutMs, signal);
        throw new RpcError("the deadline has passed", Code.DeadlineExceeded, { layer: "rpc", rpc });
      }
      if (fault.kind !== "ok") {
        // the call may hear of it before the session does, or after
        if (fault.delayMs > 0) cut();
        else setTimeout(cut, 1);
        throw lost();
      }
      arrival.isAnswered = true;
      return this.replies[rpc] ?? {};
    } catch (error) {
      if (!signal.aborted) throw error;
      throw new RpcError("canceled by its caller", Code.Canceled, {
        layer: "rpc",
        rpc,
        cause: signal.reason,
      });
    } finally {
      this.#underWay--;
    }
  }
}

/** The answer of a handler that says no. */
export function refusal(text: string): RpcError {
  return new RpcError(text, Code.Unknown, { layer: "rpc", drpcCode: 0 });
}

/** The answer of a server that does not have the RPC. */
export function unimplemented(): RpcError {
  return new RpcError("Unimplemented", Code.Unimplemented, { layer: "rpc", drpcCode: 12 });
}

/** How a call fails whose connection ends. */
export function lost(): RpcError {
  return new RpcError("the connection was lost", Code.Unavailable, { layer: "connection" });
}

/** How a call fails whose stream the server resets. */
export function brokenStream(): RpcError {
  return new RpcError("the other side reset the stream", Code.Aborted, { layer: "stream" });
}

/** How a call fails that is not answered in time. */
export function late(): RpcError {
  return new RpcError("the deadline has passed", Code.DeadlineExceeded, { layer: "rpc" });
}

/** How a call fails that is over `maxMessageBytes`. */
export function tooLarge(): RpcError {
  return new RpcError("over the limit; send it in parts", Code.ResourceExhausted, { layer: "rpc" });
}

/** Runs a story in virtual time. @returns how many timers it has left behind. */
export async function inVirtualTime(story: () => Promise<void>): Promise<number> {
  vi.useFakeTimers();
  try {
    await story();
    return vi.getTimerCount();
  } finally {
    vi.useRealTimers();
  }
}

export const sleep = (ms: number) => vi.advanceTimersByTimeAsync(ms);

/** One RPC that does what it is told, for a single run. */
export function agentWith(methods: Partial<Record<keyof AgentClient, (request: never) => unknown>>) {
  const calls: { rpc: string; request: unknown }[] = [];
  const agent = new Proxy({} as AgentClient, {
    get: (_, rpc: keyof AgentClient) => async (request: never, options: { signal?: AbortSignal }) => {
      options.signal?.throwIfAborted();
      calls.push({ rpc, request: structuredClone(request) });
      return methods[rpc]?.(request) ?? {};
    },
  });
  return { agent, calls };
}
