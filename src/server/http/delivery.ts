import type { ServerResponse } from "node:http";
import type { WebSocket } from "ws";
import type { HttpAnswer } from "./answer.js";
import { commonHeaders, headersFor } from "./answer.js";
import { Bell, ended } from "./bell.js";
import { EventStream } from "./event-stream.js";
import type { EventStreamAnswer, PagedAnswer, WebSocketAnswer } from "./routes.js";
import { TextSocket } from "./text-socket.js";

/** A reader that takes nothing of a page for so long is cut off. */
const drainTimeoutMs = 30_000;

/** What the delivery of an answer in parts works with. */
export interface Delivery {
  /** Ends it. */
  signal: AbortSignal;
  buildVersion: string;
  pingIntervalMs: number;
  /** The client has so long to take the end. */
  goodbyeTimeoutMs: number;
}

/** Sends events until the answer or the signal ends it. */
export async function deliverEvents(
  answer: EventStreamAnswer,
  response: ServerResponse,
  { signal, buildVersion, pingIntervalMs, goodbyeTimeoutMs }: Delivery,
): Promise<void> {
  const isClosed = new Promise<void>((resolve) => response.once("close", () => resolve()));
  const stream = new EventStream(response, commonHeaders(buildVersion), pingIntervalMs);
  const following = answer.followEvents(stream);
  try {
    await Promise.race([following, ended(signal)]);
    stream.end();
  } catch {
    // half a stream is not to look like a whole one
    stream.cut();
  }
  following.catch(() => {});
  const timer = setTimeout(() => stream.cut(), goodbyeTimeoutMs);
  await isClosed;
  clearTimeout(timer);
}

/**
 * Sends messages until the answer or the signal ends it.
 * @param onEnd called when the client has left.
 */
export async function deliverMessages(
  answer: WebSocketAnswer,
  webSocket: WebSocket,
  { signal, pingIntervalMs, goodbyeTimeoutMs }: Delivery,
  onEnd: () => void,
): Promise<void> {
  const socket = new TextSocket(webSocket, pingIntervalMs, onEnd, answer.socketOptions);
  const following = answer.followMessages(socket);
  following.catch(() => {});
  try {
    await Promise.race([following, ended(signal)]);
    socket.close(answer.goodbye.code, answer.goodbye.reason);
  } catch {
    socket.close(1011, "An internal server error occurred.");
  }
  await socket.closed(goodbyeTimeoutMs);
}

/**
 * Sends pages, each when the one before has been taken.
 * @throws what the first page throws; a failure of a later one cuts the answer off.
 */
export async function deliverPages(
  { status, headers, pages }: PagedAnswer,
  response: ServerResponse,
  buildVersion: string,
): Promise<void> {
  const head = headersFor(response, { ...commonHeaders(buildVersion), ...headers });
  const left = new AbortController();
  response.once("close", () => left.abort());
  try {
    for await (const page of pages) {
      if (!response.headersSent) response.writeHead(status, head);
      if (!response.write(page)) await drained(response, left.signal);
      if (left.signal.aborted) return;
    }
    response.end();
  } catch (error) {
    if (!response.headersSent) throw error;
    response.destroy();
  }
}

/** Resolves when the reader has taken what was written, or has left. Who takes too long is cut off. */
async function drained(response: ServerResponse, left: AbortSignal): Promise<void> {
  const isTaken = new Bell();
  response.on("drain", isTaken.ring);
  const timer = setTimeout(() => response.destroy(), drainTimeoutMs);
  await isTaken.wait(2 * drainTimeoutMs, left);
  clearTimeout(timer);
  response.off("drain", isTaken.ring);
}

/** Pages as one answer. */
export async function allPages({ status, headers, pages }: PagedAnswer): Promise<HttpAnswer> {
  let body = "";
  for await (const page of pages) body += page;
  return { status, headers: { ...headers }, body };
}
