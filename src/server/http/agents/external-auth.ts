import { errorText } from "../../../rpc/error-text.js";
import { goQuote } from "../../../rpc/index.js";
import { serverCloses } from "../../answer-waits.js";
import { ApiError } from "../../api-error.js";
import { jsonAnswer } from "../answer.js";
import { Bell } from "../bell.js";
import type { HttpDeps } from "../options.js";
import type { AgentCall, RouteAnswer } from "../routes.js";
import { isoTime, neverTime } from "../times.js";
import {
  type ExternalAuth,
  type ExternalAuthLink,
  type ExternalAuthProvider,
  ExternalAuthTokens,
} from "./external-auth-tokens.js";
import { refuseWithoutUserData } from "./key-scope.js";

const pollIntervalMs = 1000;

/** A provider with its pattern, read once. */
interface Matcher {
  provider: ExternalAuthProvider;
  pattern: RegExp | undefined;
}

/**
 * `GET /me/external-auth`: a token of the workspace's owner for another service, or where to link with it. With
 * `listen` it waits for the link. S5.17–S5.23.
 * @throws SyntaxError when a provider's pattern is no regular expression.
 */
export function externalAuthRoute(deps: HttpDeps): (call: AgentCall) => Promise<RouteAnswer> {
  const { externalAuth: auth, accessUrl } = deps;
  if (auth === undefined) {
    return async (call) => {
      throw noProvider(asked(call.query).match, []);
    };
  }
  const tokens = new ExternalAuthTokens(auth, deps.handlers.nowUs);
  const matchers = auth.providers.map((provider) => ({
    provider,
    pattern: provider.urlPattern === undefined ? undefined : new RegExp(provider.urlPattern),
  }));
  return async (call) => {
    const provider = providerFor(asked(call.query), matchers);
    refuseWithoutUserData(call);
    const { ownerId } = call.identity.workspace;
    const isListening = call.query.has("listen");
    const linked = await examined(auth, tokens, provider, ownerId, isListening);
    if (linked.usable !== undefined) return jsonAnswer(200, answerOf(linked.usable, provider.type));
    if (!isListening) return jsonAnswer(200, linkHere(accessUrl ?? originOf(call), provider.id));
    const link = await awaitLink(auth, tokens, provider, ownerId, linked.examinedToken, call.signal);
    return jsonAnswer(200, answerOf(link, provider.type));
  };
}

function asked(query: URLSearchParams): { id: string; match: string } {
  const id = query.get("id") ?? "";
  const match = query.get("match") || query.get("url") || "";
  if (id === "" && match === "") throw new ApiError(400, "'url' or 'id' must be provided!");
  if (id !== "" && match !== "") throw new ApiError(400, "'url' and 'id' cannot be provided together!");
  return { id, match };
}

function providerFor(
  { id, match }: { id: string; match: string },
  matchers: readonly Matcher[],
): ExternalAuthProvider {
  const found = matchers
    .filter((one) => (id === "" ? one.pattern?.test(match) : one.provider.id === id))
    .at(-1);
  if (found === undefined) throw noProvider(match, matchers);
  return found.provider;
}

function noProvider(match: string, matchers: readonly Matcher[]): ApiError {
  const patterns = matchers
    .map(({ provider }) => provider)
    .filter(({ urlPattern }) => urlPattern !== undefined)
    .map(({ id, urlPattern = "" }) => `${id}=${goQuote(urlPattern)}`);
  const detail =
    matchers.length === 0
      ? "External auth provider not found."
      : `The configured external auth provider have regex filters that do not match the url. Provider url regex: ${patterns.join(",")}`;
  return new ApiError(
    404,
    `No matching external auth provider found in Coder for the url ${goQuote(match)}.`,
    { detail },
  );
}

interface Examined {
  usable: ExternalAuthLink | undefined;
  /** A token that has been looked at, and need not be looked at again. */
  examinedToken: string | undefined;
}

/** What there is now. Who listens waits also over what goes wrong here. S5.21, S5.22. */
async function examined(
  auth: ExternalAuth,
  tokens: ExternalAuthTokens,
  provider: ExternalAuthProvider,
  ownerId: string,
  isListening: boolean,
): Promise<Examined> {
  let examinedToken: string | undefined;
  let doing = "get external auth link";
  try {
    const link = await auth.link(ownerId, provider.id);
    if (link === undefined) return { usable: undefined, examinedToken };
    examinedToken = link.accessToken;
    doing = "refresh external auth token";
    return { usable: await tokens.usable(link, provider), examinedToken };
  } catch (error) {
    if (isListening) return { usable: undefined, examinedToken };
    throw new ApiError(500, `Failed to ${doing}.`, { detail: errorText(error) });
  }
}

/** Looks each second for a link that can be used; a token that was refused is not asked about again. S5.22. */
async function awaitLink(
  auth: ExternalAuth,
  tokens: ExternalAuthTokens,
  provider: ExternalAuthProvider,
  ownerId: string,
  examinedToken: string | undefined,
  signal: AbortSignal,
): Promise<ExternalAuthLink> {
  const clock = new Bell();
  let last = examinedToken;
  while (true) {
    await clock.wait(pollIntervalMs, signal);
    if (signal.aborted) throw serverCloses();
    const link = await linkOf(auth, provider, ownerId);
    if (link === undefined || tokens.hasExpired(link) || link.accessToken === last) continue;
    last = link.accessToken;
    const isValid = await provider.validate(link.accessToken).catch(() => false);
    if (isValid) return link;
  }
}

async function linkOf(auth: ExternalAuth, { id }: ExternalAuthProvider, ownerId: string) {
  try {
    return await auth.link(ownerId, id);
  } catch (error) {
    throw new ApiError(500, "Failed to get external auth link.", { detail: errorText(error) });
  }
}

function linkHere(accessUrl: string, providerId: string) {
  const url = `${accessUrl}/external-auth/${providerId}`;
  const expiresAt = { expires_at: neverTime };
  return { access_token: "", token_extra: null, url, type: "", ...expiresAt, username: "", password: "" };
}

function answerOf({ accessToken, extra, expiresAtUs }: ExternalAuthLink, type: string) {
  return {
    access_token: accessToken,
    token_extra: extra ?? null,
    url: "",
    type,
    expires_at: expiresAtUs === undefined ? neverTime : isoTime(expiresAtUs),
    ...credentials(type, accessToken),
  };
}

/** What git is to be told. S5.23. */
function credentials(type: string, token: string): { username: string; password: string } {
  if (type === "gitlab") return { username: "oauth2", password: token };
  if (type === "bitbucket-cloud" || type === "bitbucket-server") {
    return { username: "x-token-auth", password: token };
  }
  return { username: token, password: "" };
}

/** Where the request came to. */
function originOf({ request }: AgentCall): string {
  const isEncrypted = "encrypted" in request.socket;
  const host = request.headers.host ?? request.headers[":authority"] ?? "localhost";
  return `${isEncrypted ? "https" : "http"}://${String(host)}`;
}
