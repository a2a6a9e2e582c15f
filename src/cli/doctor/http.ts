import { startOfText } from "../../client/http/bounded-body.js";
import { readRefusal, type Validation } from "../../client/http/refusal.js";
import { errorText } from "../../rpc/error-text.js";
import {
  type ApiVersion,
  apiMethods,
  formatVersion,
  newestVersion,
  versionHas,
  versionNamedIn,
} from "../../version/index.js";
import { codeOf } from "./network.js";
import { Problem, type Seen } from "./report.js";

const maxBodyBytes = 64 * 1024;
const shownBodyCharacters = 120;
const maxSkewMs = 30_000;
/** Statuses with which the endpoint of agents refuses a request that is no upgrade. */
const apiStatuses = [400, 401, 403, 426];

/** An answer over HTTP. */
export interface Answer {
  status: number;
  contentType: string;
  location: string;
  buildVersion: string;
  /** The time of the server when it answered, and of this machine in the middle of the request; undefined without one. */
  dates: { serverMs: number; hereMs: number } | undefined;
  body: string;
  /** The message of the API's JSON; undefined where it is something else. */
  message: string | undefined;
  detail: string;
  validations: readonly Validation[];
}

/** Makes a request. @throws Problem when there is no answer. */
export async function ask(
  fetch: typeof globalThis.fetch,
  url: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Answer> {
  const startedAtMs = Date.now();
  try {
    const response = await fetch(url, { headers, signal, redirect: "manual" });
    const hereMs = (startedAtMs + Date.now()) / 2;
    const body = await startOfText(response, maxBodyBytes);
    return answerOf(response, hereMs, body);
  } catch (error) {
    throw unanswered(error, url);
  }
}

function answerOf({ status, headers }: Response, hereMs: number, body: string): Answer {
  const contentType = headers.get("Content-Type") ?? "";
  // it has no parts of a second
  const serverMs = Date.parse(headers.get("Date") ?? "") + 500;
  const { reason, detail = "", validations = [] } = readRefusal({ status, contentType, body });
  const isJson = /^application\/json\s*(;|$)/i.test(contentType) && body !== "";
  return {
    status,
    contentType,
    location: headers.get("Location") ?? "",
    buildVersion: headers.get("X-Coder-Build-Version") ?? "",
    dates: Number.isNaN(serverMs) ? undefined : { serverMs, hereMs },
    body,
    message: isJson && !/^unexpected status code/.test(reason) ? reason : undefined,
    detail,
    validations,
  };
}

function unanswered(error: unknown, { protocol }: URL): Problem {
  const code = codeOf(error) ?? "";
  const text = errorText(error instanceof TypeError && error.cause !== undefined ? error.cause : error);
  if (/^HPE_/.test(code)) {
    return new Problem(
      `what answers does not speak HTTP/1.1 (${code})`,
      "this port is of something else, or of HTTP/2 alone, which has no WebSockets: check the port",
      { code },
    );
  }
  if (/^(ECONNRESET|UND_ERR_SOCKET|EPIPE)$/.test(code) || /socket hang up|other side closed/.test(text)) {
    const advice =
      protocol === "http:"
        ? "this port may want TLS: begin the URL with https://; or it is of something that is no HTTP server"
        : "the server, or a proxy before it, does not take requests: look at its logs";
    return new Problem("the connection was cut without an answer", advice, { code });
  }
  return new Problem(`no answer over HTTP: ${text}`, "look at the logs of the server", { code });
}

/** Whether what answers is the agent API, asked without a token. @throws Problem when it is not. */
export function judgeApi(answer: Answer): Seen<void> {
  const { status, buildVersion, message, location, contentType } = answer;
  const facts = { status, buildVersion, contentType };
  if (status >= 300 && status < 400) {
    throw new Problem(
      `the server sends requests somewhere else: ${status} to ${shownLocation(location)}`,
      "give the URL that it sends to; if that is a page to log in, a proxy before the API wants its own login",
      { ...facts, location: shownLocation(location) },
    );
  }
  if (status === 502 || status === 503 || status === 504) {
    throw new Problem(
      `a proxy answers with ${status}: it does not reach the control plane behind it`,
      "see that the control plane runs, and that the proxy has its right address",
      facts,
    );
  }
  if (status === 429) {
    throw new Problem("the server refuses requests because there are too many (429)", "wait a minute", facts);
  }
  const isApi = apiStatuses.includes(status) && (message !== undefined || buildVersion !== "");
  if (!isApi && buildVersion !== "" && status === 404) {
    throw new Problem(
      "this is a control plane, but it has no agent API at this path (404)",
      "leave out what comes after the host in the URL; or the control plane is too old",
      facts,
    );
  }
  if (!isApi) {
    throw new Problem(
      `this does not look like the agent API: ${status}, ${contentType || "no content type"}${shownBody(answer)}`,
      "check host, port and path of the URL; a proxy before the API may answer for itself, too",
      facts,
    );
  }
  const build = buildVersion === "" ? "" : `, build ${buildVersion}`;
  return { value: undefined, saw: `the agent API answers${build}`, facts };
}

/** How far the clocks are apart. @throws Problem when it is too far. */
export function judgeClock({ dates }: Answer): Seen<void> {
  if (dates === undefined) return { value: undefined, saw: "the server does not say its time" };
  const skewMs = dates.serverMs - dates.hereMs;
  const skewSeconds = Math.round(skewMs / 1000);
  const facts = { skewSeconds };
  if (Math.abs(skewMs) <= maxSkewMs) {
    return { value: undefined, saw: "the clocks of server and machine agree", facts };
  }
  const server = new Date(dates.serverMs).toISOString();
  throw new Problem(
    `the clock of this machine is ${Math.abs(skewSeconds)} s ${skewMs > 0 ? "behind" : "ahead of"} the server's, which says ${server}`,
    "set the clock that is wrong, and let it follow NTP: certificates, tokens and times of logs depend on it",
    facts,
  );
}

/** What an answer to a request with a token says of the version. */
export function judgeVersion(answer: Answer, asked: ApiVersion, isGiven: boolean): Seen<ApiVersion> {
  const refused = answer.validations.find(({ field }) => field === "version");
  if (refused === undefined) {
    const saw = `the server has API ${formatVersion(asked)}${isGiven ? "" : ", as this tool does"}`;
    return { value: asked, saw, facts: { version: formatVersion(asked) } };
  }
  const named = versionNamedIn(refused.detail);
  if (named === undefined || named.major !== asked.major) {
    throw new Problem(
      `the server does not have API ${formatVersion(asked)}: ${refused.detail}`,
      "update this tool, or the control plane: they have no version in common",
    );
  }
  const missing = apiMethods.filter((method) => !versionHas(named, method)).map(capitalized);
  const facts = { version: formatVersion(named), newest: formatVersion(newestVersion), missing };
  const saw = `the server is at API ${formatVersion(named)}, behind ${formatVersion(asked)}; it may lack ${missing.join(", ")}`;
  if (isGiven) {
    throw new Problem(saw, `update the control plane, or ask for ${formatVersion(named)}`, facts);
  }
  const advice =
    "what needs those calls does not work, or goes an older way: update the control plane to have them";
  return { value: named, saw, advice, facts };
}

function capitalized(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

function shownBody({ body }: Answer): string {
  const start = body.replace(/\s+/g, " ").trim().slice(0, shownBodyCharacters);
  return start === "" ? "" : `, which begins: ${start}`;
}

/** Without its query, where there may be secrets. */
function shownLocation(location: string): string {
  return location.split(/[?#]/, 1)[0] || "an unknown place";
}
