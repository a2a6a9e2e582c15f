import type { IncomingMessage } from "node:http";
import { goQuote } from "../rpc/index.js";
import { jsonBody } from "./api-error.js";
import type { HttpAnswer } from "./http/answer.js";
import { originComplaint } from "./origin-check.js";

/**
 * Why a request cannot become a WebSocket, as the reference server says it: a line of its WebSocket library, then
 * the JSON that its handler adds. S1.24, S1.25.
 * @returns undefined when it can.
 */
export function upgradeRefusal(request: IncomingMessage): HttpAnswer | undefined {
  const found = handshakeFault(request) ?? originFault(request);
  if (found === undefined) return undefined;
  const { status, reason, headers } = found;
  const json = {
    message: "Failed to accept websocket.",
    detail: `failed to accept WebSocket connection: ${reason}`,
  };
  return {
    status,
    headers: { "Content-Type": "text/plain; charset=utf-8", ...headers },
    body: `${reason}\n${jsonBody(json, "\t")}`,
  };
}

interface Fault {
  status: number;
  reason: string;
  headers?: Record<string, string>;
}

const violation = "WebSocket protocol violation:";
const upgradeHeaders = { Connection: "Upgrade", Upgrade: "websocket" };

function handshakeFault(request: IncomingMessage): Fault | undefined {
  const { headers, method } = request;
  if (!hasToken(headers.connection, "upgrade")) {
    const reason = `${violation} Connection header ${goQuote(headers.connection ?? "")} does not contain Upgrade`;
    return { status: 426, reason, headers: upgradeHeaders };
  }
  if (!hasToken(headers.upgrade, "websocket")) {
    const reason = `${violation} Upgrade header ${goQuote(headers.upgrade ?? "")} does not contain websocket`;
    return { status: 426, reason, headers: upgradeHeaders };
  }
  if (method !== "GET") {
    return {
      status: 405,
      reason: `${violation} handshake request method is not GET but ${goQuote(method ?? "")}`,
    };
  }
  const version = headers["sec-websocket-version"] ?? "";
  if (version !== "13") {
    const reason = `unsupported WebSocket protocol version (only 13 is supported): ${goQuote(version)}`;
    return { status: 400, reason, headers: { "Sec-WebSocket-Version": "13" } };
  }
  return keyFault(request);
}

function keyFault(request: IncomingMessage): Fault | undefined {
  const keys = request.headersDistinct["sec-websocket-key"] ?? [];
  const [key] = keys;
  if (key === undefined) return { status: 400, reason: `${violation} missing Sec-WebSocket-Key` };
  if (keys.length > 1) return { status: 400, reason: `${violation} multiple Sec-WebSocket-Key headers` };
  if (/^[+/0-9A-Za-z]{22}==$/.test(key.trim())) return undefined;
  const reason = `${violation} invalid Sec-WebSocket-Key ${goQuote(key)}, must be a 16 byte base64 encoded string`;
  return { status: 400, reason };
}

/** A page of another site must not use the cookies of this one. */
function originFault({ headers }: IncomingMessage): Fault | undefined {
  const reason = originComplaint(headers);
  return reason === undefined ? undefined : { status: 403, reason };
}

function hasToken(header: string | undefined, token: string): boolean {
  return (header ?? "").split(",").some((part) => part.trim().toLowerCase() === token);
}
