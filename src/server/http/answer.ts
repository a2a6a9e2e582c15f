import { randomUUID } from "node:crypto";
import { type OutgoingHttpHeaders, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { type ApiError, jsonBody } from "../api-error.js";

/** An answer without a stream: all of it is there. */
export interface HttpAnswer {
  status: number;
  headers: OutgoingHttpHeaders;
  body: string;
}

const jsonType = "application/json; charset=utf-8";

/** JSON as an answer. `undefined` is the literal `null`. */
export function jsonAnswer(status: number, value: unknown): HttpAnswer {
  return { status, headers: { "Content-Type": jsonType }, body: jsonBody(value) };
}

/** An answer that says nothing but its status. */
export function emptyAnswer(status: number, headers: OutgoingHttpHeaders = {}): HttpAnswer {
  return { status, headers, body: "" };
}

/** An error as an answer. */
export function errorAnswer(error: ApiError): HttpAnswer {
  return jsonAnswer(error.status, error);
}

/** What every answer carries. S1.2. */
export function commonHeaders(buildVersion: string): OutgoingHttpHeaders {
  return {
    "X-Coder-Request-Id": randomUUID(),
    "X-Coder-Build-Version": buildVersion,
    "X-Content-Type-Options": "nosniff",
  };
}

/** Where an answer goes: to an ordinary request, or to the socket of an upgrade. */
export type AnswerTo = ServerResponse | Duplex;

/** Sends an answer. On the socket of an upgrade it is the last thing. */
export function sendAnswer(
  to: AnswerTo,
  answer: HttpAnswer,
  buildVersion: string,
  { isHead = false }: { isHead?: boolean } = {},
): void {
  const headers: OutgoingHttpHeaders = { ...commonHeaders(buildVersion), ...answer.headers };
  // nothing can follow this status, so that there is no length to tell
  if (answer.status !== 204) headers["Content-Length"] = Buffer.byteLength(answer.body);
  if ("writeHead" in to) {
    to.writeHead(answer.status, headersFor(to, headers));
    if (isHead) to.end();
    else to.end(answer.body);
    return;
  }
  const lines = [`HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? ""}`];
  for (const [name, value] of Object.entries({ Connection: "close", ...headers }))
    lines.push(`${name}: ${String(value)}`);
  to.end(`${lines.join("\r\n")}\r\n\r\n${answer.body}`);
}

const connectionHeaders = new Set(["connection", "upgrade", "keep-alive", "transfer-encoding"]);

/** HTTP/2 has no headers about the connection, and Node refuses an answer that has some. */
export function headersFor(response: ServerResponse, headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  if (!isHttp2(response)) return headers;
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !connectionHeaders.has(name.toLowerCase())),
  );
}

/** True for the objects with which Node's HTTP/2 looks like HTTP/1. */
function isHttp2(response: ServerResponse): boolean {
  return "stream" in response;
}
