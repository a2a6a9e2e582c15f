import type { MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import type { Interceptor, UnaryRequest, UnaryResponse } from "@connectrpc/connect";
import type { Agent } from "../gen/coder/agent/v2/agent_pb.js";
import type { Tailnet } from "../gen/coder/tailnet/v2/index_pb.js";
import { type AgentSession, agentSessionKey } from "../server/agent-session.js";

type Named<Table> = { [Name in keyof Table & string as Capitalize<Name>]: Table[Name] };
interface Methods extends Named<(typeof Agent)["method"]>, Named<(typeof Tailnet)["method"]> {}
type MethodOf<R extends RpcName> = Methods[R];

/** An RPC of the agent or tailnet service, as the schema names it: `"UpdateLifecycle"`. */
export type RpcName = keyof Methods;

/** An RPC with one request and one answer. */
export type UnaryRpcName = {
  [R in RpcName]: MethodOf<R>["methodKind"] extends "unary" ? R : never;
}[RpcName];

/** What an RPC is asked with. */
export type RequestOf<R extends RpcName> = MessageShape<MethodOf<R>["input"]>;

/** What an RPC answers. */
export type AnswerOf<R extends RpcName> = MessageShape<MethodOf<R>["output"]>;

/** A call that has reached the control plane. */
export interface TestCall<R extends RpcName = RpcName> {
  readonly rpc: R;
  /** The request; the first one of a stream. */
  readonly request: RequestOf<R>;
  /** All requests so far: one, unless the client streams them. */
  readonly requests: readonly RequestOf<R>[];
  /** Whose it is; undefined for calls of users' programs. */
  readonly agentId: string | undefined;
  /** As the client wrote it when dialling; an empty text means `agent`. Undefined for calls over HTTP protocols. */
  readonly role: string | undefined;
  /** As the client wrote it when dialling, such as `2.10`. */
  readonly apiVersion: string | undefined;
  /** When it came, in milliseconds since 1970, by the plane's clock. */
  readonly atMs: number;
  /** `answered` means that the control plane has answered, not that the client has heard it. */
  readonly state: "running" | "answered" | "failed";
  /** Why it failed. */
  readonly error?: unknown;
}

/** Answers a call in place of the handler. */
export type AnswerFunction<R extends UnaryRpcName> = (
  request: RequestOf<R>,
  call: {
    /** Runs the handler, and gives what it answers. */
    handle(): Promise<AnswerOf<R>>;
    /** Ends when the client gives up, or is gone. */
    signal: AbortSignal;
    agentId: string | undefined;
  },
) => MessageInitShape<MethodOf<R>["output"]> | Promise<MessageInitShape<MethodOf<R>["output"]>>;

const servicePattern = /^coder\.(agent|tailnet)\.v2\.(Agent|Tailnet)$/;
/** So many calls are kept, the latest. */
const maxCalls = 10_000;

type Recorded = { -readonly [K in keyof TestCall]: TestCall[K] } & { requests: RequestOf<RpcName>[] };
// a function for one RPC is kept among those of others, and called with messages of its own RPC only
type AnyAnswer = AnswerFunction<UnaryRpcName>;

/** Keeps what calls come, and answers them otherwise where a test says so. */
export class Calls {
  readonly #nowMs: () => number;
  readonly #all: Recorded[] = [];
  readonly #failures = new Map<string, { error: Error; left: number }>();
  readonly #answers = new Map<string, AnyAnswer>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  of<R extends RpcName>(rpc: R): TestCall<R>[] {
    return this.#all.filter((call): call is Recorded & TestCall<R> => call.rpc === rpc);
  }

  all(): TestCall[] {
    return [...this.#all];
  }

  forget(): void {
    this.#all.length = 0;
  }

  /** `GetManifest ×1, BatchCreateLogs ×3`, for errors. */
  summary(): string {
    const counts = new Map<string, number>();
    for (const { rpc } of this.#all) counts.set(rpc, (counts.get(rpc) ?? 0) + 1);
    return [...counts].map(([rpc, count]) => `${rpc} ×${count}`).join(", ") || "nothing";
  }

  fail(rpc: RpcName, error: Error | string, times: number): void {
    // like a handler of a Go server that returns an error: text without a code
    this.#failures.set(rpc, { error: typeof error === "string" ? new Error(error) : error, left: times });
  }

  answer<R extends UnaryRpcName>(rpc: R, answer: AnswerFunction<R> | undefined): void {
    if (answer === undefined) this.#answers.delete(rpc);
    else this.#answers.set(rpc, answer as unknown as AnyAnswer);
  }

  /** Ends what `fail` and `answer` have begun. */
  heal(): void {
    this.#failures.clear();
    this.#answers.clear();
  }

  readonly interceptor: Interceptor = (next) => async (request) => {
    if (!servicePattern.test(request.service.typeName)) return next(request);
    const rpc = request.method.name as RpcName;
    const session = request.contextValues.get(agentSessionKey);
    if (request.stream) {
      const call = this.#blank(rpc, session);
      const message = this.#seen(request.message as AsyncIterable<RequestOf<RpcName>>, call);
      return this.#settled(call, async () => {
        this.#throwIfFailing(rpc);
        return next({ ...request, message });
      });
    }
    const call = this.#blank(rpc, session);
    this.#add(call, request.message as RequestOf<RpcName>);
    return this.#settled(call, async () => {
      this.#throwIfFailing(rpc);
      const answer = this.#answers.get(rpc);
      const handle = async () => (await next(request)) as UnaryResponse;
      return answer === undefined ? handle() : answered(request, answer, handle, session);
    });
  };

  #blank(rpc: RpcName, session: AgentSession | undefined): Recorded {
    return {
      rpc,
      // given with the first message; no call is shown before it has one
      request: undefined as unknown as RequestOf<RpcName>,
      requests: [],
      agentId: session?.agentId,
      role: session?.role,
      apiVersion: session?.apiVersion,
      atMs: this.#nowMs(),
      state: "running",
    };
  }

  #add(call: Recorded, message: RequestOf<RpcName>): void {
    if (call.requests.length === 0) {
      call.request = message;
      this.#all.push(call);
      if (this.#all.length > maxCalls) this.#all.shift();
    }
    if (call.requests.length < maxCalls) call.requests.push(message);
  }

  async *#seen(messages: AsyncIterable<RequestOf<RpcName>>, call: Recorded) {
    for await (const message of messages) {
      this.#add(call, message);
      yield message;
    }
  }

  async #settled<T>(call: Recorded, run: () => Promise<T>): Promise<T> {
    try {
      const answer = await run();
      call.state = "answered";
      return answer;
    } catch (error) {
      call.state = "failed";
      call.error = error;
      throw error;
    }
  }

  #throwIfFailing(rpc: RpcName): void {
    const failure = this.#failures.get(rpc);
    if (failure === undefined) return;
    if (--failure.left <= 0) this.#failures.delete(rpc);
    throw failure.error;
  }
}

/** The answer of a test's function. */
async function answered(
  request: UnaryRequest,
  answer: AnyAnswer,
  handle: () => Promise<UnaryResponse>,
  session: AgentSession | undefined,
): Promise<UnaryResponse> {
  const { method, service, signal } = request;
  const message = await answer(request.message as RequestOf<UnaryRpcName>, {
    handle: async () => (await handle()).message as AnswerOf<UnaryRpcName>,
    signal,
    agentId: session?.agentId,
  });
  return {
    stream: false,
    service,
    method,
    header: new Headers(),
    trailer: new Headers(),
    message: create(method.output, message),
  };
}
