import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import {
  Agent,
  type AgentConnection,
  type AgentConnectionOptions,
  createAgentConnection,
  Tailnet,
} from "../../../src/client/index-node.js";
import { type ApiVersionText, parseVersion } from "../../../src/version/index.js";
import { serve } from "../../support/echo.js";

export type AgentHandlers = Partial<ServiceImpl<typeof Agent>>;

/** A request beside the connection. */
interface SeenRequest {
  method: string;
  url: string;
  token: string | null;
  extra: string | null;
  body: unknown;
}

export interface CompatPair {
  connection: AgentConnection;
  /** The RPCs that have come, in order. */
  calls: string[];
  /** The requests beside the connection, in order. */
  requests: SeenRequest[];
}

/** What requests beside the connection are answered with. */
export type HttpAnswer = (request: SeenRequest) => Response;

const okAnswer: HttpAnswer = () => Response.json(null);

export const url = "http://plane.example/prefix";
export const token = "a-token-that-nobody-sees";

/**
 * A connection in memory to a server that has some handlers, and answers code 12 for all else.
 * @param options.answer for requests beside the connection; false where there are none.
 */
export function compatPair(
  handlers: AgentHandlers,
  options: {
    version?: ApiVersionText;
    answer?: HttpAnswer | false;
    shims?: AgentConnectionOptions["shims"];
  } = {},
  tailnet: Partial<ServiceImpl<typeof Tailnet>> = {},
): CompatPair {
  const calls: string[] = [];
  const { client } = serve((router) => {
    router.service(Agent, recorded(Agent, handlers, calls));
    router.service(Tailnet, recorded(Tailnet, tailnet, calls));
  });
  const requests: SeenRequest[] = [];
  const { version = "2.10", answer = okAnswer, shims } = options;
  const connection = createAgentConnection<"2.10">(
    client,
    { version: parseVersion(version), role: "agent" },
    {
      ...(shims === undefined ? {} : { shims }),
      ...(answer === false
        ? {}
        : { http: { url, token, headers: { "X-Extra": "1" }, fetch: fetchOf(answer, requests) } }),
    },
  );
  return { connection, calls, requests };
}

type Handler = (...args: unknown[]) => unknown;

/** The handlers given, and for all other methods ones that refuse; each says when it is called. */
function recorded<S extends DescService>(
  service: S,
  given: Partial<ServiceImpl<S>>,
  calls: string[],
): Partial<ServiceImpl<S>> {
  const all = service.methods.map(({ localName, methodKind }) => {
    const handler = (given as Record<string, Handler>)[localName] ?? refusalOf(methodKind);
    const recording: Handler = (...args) => {
      calls.push(localName);
      return handler(...args);
    };
    return [localName, recording] as const;
  });
  return Object.fromEntries(all) as Partial<ServiceImpl<S>>;
}

function refusalOf(methodKind: DescMethod["methodKind"]): Handler {
  const refuse = () => {
    throw new ConnectError("Unimplemented", Code.Unimplemented);
  };
  if (methodKind === "unary" || methodKind === "client_streaming") return refuse;
  // biome-ignore lint/correctness/useYield: there is nothing to answer
  return async function* () {
    refuse();
  };
}

function fetchOf(answer: HttpAnswer, requests: SeenRequest[]): typeof fetch {
  return async (target, init) => {
    init?.signal?.throwIfAborted();
    const headers = new Headers(init?.headers);
    const request = {
      method: init?.method ?? "GET",
      url: String(target),
      token: headers.get("Coder-Session-Token"),
      extra: headers.get("X-Extra"),
      body: JSON.parse(String(init?.body)) as unknown,
    };
    requests.push(request);
    return answer(request);
  };
}
