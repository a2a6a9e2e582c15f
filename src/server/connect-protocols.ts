import type { IncomingMessage, ServerResponse } from "node:http";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { errorText } from "../rpc/error-text.js";
import type { Routes } from "../rpc/index.js";
import { formatVersion, newestVersion } from "../version/index.js";
import { type AgentIdentity, agentSession, agentSessionKey } from "./agent-session.js";
import { Waits } from "./answer-waits.js";
import { ApiError } from "./api-error.js";
import type { DialRequest } from "./dial-request.js";
import { refuseForeignCookie } from "./origin-check.js";
import { reachedAtOf } from "./reached-at.js";
import { sessionToken } from "./session-token.js";

/** What is needed to serve the RPCs over HTTP. */
export interface ConnectProtocolsOptions {
  routes: Routes;
  authenticate(request: DialRequest): AgentIdentity | Promise<AgentIdentity>;
  /** How long that may take; 30,000 by default. */
  authenticateTimeoutMs: number | undefined;
  interceptors: readonly Interceptor[];
  maxMessageBytes: number;
}

type NodeHandler = (request: IncomingMessage, response: ServerResponse) => void;

const servicePaths = ["/coder.agent.v2.Agent/", "/coder.tailnet.v2.Tailnet/"];

/**
 * The same handlers over Connect, gRPC and gRPC-Web. Each call brings its token, in the places where a dial has it;
 * there is no session: newest version, no role, no monitor.
 */
export function connectProtocols(options: ConnectProtocolsOptions) {
  const waits = new Waits(options.authenticateTimeoutMs);
  const interceptors = [authentication(options, waits), ...options.interceptors];
  const handle = nodeHandler({ ...options, interceptors });
  return {
    wants: (path: string) => servicePaths.some((prefix) => path.startsWith(prefix)),
    handle,
    /** Ends calls for which it is not known yet who makes them. */
    close: () => waits.end(),
  };
}

/** What is needed to serve any RPCs over HTTP. */
export interface NodeHandlerOptions {
  routes: Routes;
  interceptors: Interceptor[];
  maxMessageBytes: number;
}

/** Serves RPCs over Connect, gRPC and gRPC-Web. What does that is loaded with the first request. */
export function nodeHandler(options: NodeHandlerOptions) {
  let adapter: Promise<NodeHandler> | undefined;
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    adapter ??= loadAdapter(options);
    try {
      (await adapter)(request, response);
    } catch (error) {
      // an installation that lacks a file must not end the process
      response.writeHead(500, { "Content-Type": "text/plain; charset=utf-8" });
      response.end(`RPCs over HTTP cannot be served: ${errorText(error)}\n`);
    }
  };
}

async function loadAdapter({
  routes,
  interceptors,
  maxMessageBytes,
}: NodeHandlerOptions): Promise<NodeHandler> {
  const { connectNodeAdapter } = await import("@connectrpc/connect-node");
  return connectNodeAdapter({
    routes,
    interceptors,
    readMaxBytes: maxMessageBytes,
    writeMaxBytes: maxMessageBytes,
  }) as NodeHandler;
}

function authentication({ authenticate }: ConnectProtocolsOptions, waits: Waits): Interceptor {
  return (next) => async (request) => {
    const url = new URL(request.url);
    const headers = Object.fromEntries(request.header);
    const withHost = { host: url.host, ...headers };
    const token = sessionToken({ headers, query: url.searchParams });
    try {
      refuseForeignCookie(request.requestMethod, withHost);
      const reachedAt = reachedAtOf({ headers: withHost, isTls: url.protocol === "https:" });
      const dial = { token, headers, url, remoteAddress: undefined, reachedAt };
      const identity = await waits.until((signal) => authenticate({ ...dial, signal }), request.signal);
      const version = formatVersion(newestVersion);
      request.contextValues.set(agentSessionKey, agentSession(identity, version, undefined, reachedAt));
    } catch (error) {
      throw refusal(error);
    }
    return next(request);
  };
}

const codes: ReadonlyMap<number, Code> = new Map([
  [401, Code.Unauthenticated],
  [403, Code.PermissionDenied],
  [503, Code.Unavailable],
]);

function refusal(error: unknown): ConnectError {
  // of the call itself: its deadline, or its caller has left
  if (error instanceof ConnectError) return error;
  if (!(error instanceof ApiError))
    return new ConnectError("internal error", Code.Internal, undefined, undefined, error);
  const code = codes.get(error.status) ?? Code.Internal;
  const text = error.detail === undefined ? error.message : `${error.message} ${error.detail}`;
  return new ConnectError(text, code);
}
