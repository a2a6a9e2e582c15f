import { Code } from "@connectrpc/connect";
import {
  type AgentHttpOptions,
  type AgentRequest,
  agentRequest,
  requestName,
} from "../http/agent-request.js";
import { AnswerFields } from "../http/answer-fields.js";
import { HttpError } from "../http/request-errors.js";
import { exchangedToken } from "./exchanged-token.js";
import { type MetadataOptions, type MetadataRequest, metadataRequest } from "./metadata-request.js";
import type { TokenProvider } from "./token-source.js";

/** How a machine of a cloud gets its agent's token. */
export interface CloudIdentityOptions {
  /** The control plane, as in `dialAgent`. */
  url: string | URL;
  /** Which agent of the machine, where it has several. Blanks around it do not count; empty is any. C1.35. */
  agentName?: string | undefined;
  /** More headers, for the control plane and for the metadata service. C1.37. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Ends the request to the control plane; 30,000 by default. */
  timeoutMs?: number | undefined;
  /** For the control plane; the runtime's own by default. */
  fetch?: typeof fetch | undefined;
  /** How the metadata service is reached. */
  metadata?: MetadataOptions | undefined;
  /** Ends an exchange that was begun because a token was needed and none was known; 10,000 by default. C1.31. */
  lazyTimeoutMs?: number | undefined;
}

/** A cloud, and how it says which machine this is. */
export interface Cloud {
  /** For errors. */
  name: string;
  /** After `/api/v2/workspaceagents/`. */
  route: string;
  /** What its machine shows to the control plane, as fields of the request. */
  proof(ask: AskMetadata): Promise<Readonly<Record<string, string>>>;
}

/** Asks the metadata service. @throws HttpError when there is no answer, or one that cannot be used. */
export type AskMetadata = (request: MetadataRequest) => Promise<string>;

/** A token that is got for what a cloud says of this machine. C1.31–C1.38. */
export function cloudIdentity(cloud: Cloud, options: CloudIdentityOptions): TokenProvider {
  const exchange = async (signal: AbortSignal) => {
    const ask: AskMetadata = (request) => {
      const headers = { ...options.headers, ...request.headers };
      return metadataRequest(cloud.name, options.metadata ?? {}, { ...request, headers }, signal);
    };
    const proof = await cloud.proof(ask);
    return tokenFor(cloud, proof, options, signal);
  };
  return exchangedToken(`${cloud.name} instance identity`, exchange, options.lazyTimeoutMs);
}

async function tokenFor(
  { route }: Cloud,
  proof: Readonly<Record<string, string>>,
  options: CloudIdentityOptions,
  signal: AbortSignal,
): Promise<string> {
  const { url, headers, timeoutMs, fetch } = options;
  const agentName = options.agentName?.trim() ?? "";
  const http: AgentHttpOptions = { url, headers, timeoutMs, fetch, token: "", signal };
  const request: AgentRequest = {
    method: "POST",
    route,
    body: { ...proof, ...(agentName === "" ? {} : { agent_name: agentName }) },
    secrets: Object.values(proof),
  };
  const name = requestName(http, request);
  const token = new AnswerFields(name, await agentRequest(http, request)).text("session_token");
  if (token === "") throw new HttpError(name, "the answer's session_token is empty", Code.Internal);
  return token;
}
