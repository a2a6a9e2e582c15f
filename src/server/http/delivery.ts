import type { ServerResponse } from "node:http";
import type { WebSocket } from "ws";
import type { HttpAnswer } from "./answer.js";
import { commonHeaders, headersFor } from "./answer.js";
import { ended } from "./bell.js";
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
  const socket = new TextSocket(webSocket, pingIntervalMs, onEnd);
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
  try {
    for await (const page of pages) {
      if (!response.headersSent) response.writeHead(status, head);
      const isTaken = response.write(page) || (await drained(response));
      if (!isTaken) throw new Error("the reader takes nothing");
    }
    response.end();
  } catch (error) {
    if (!response.headersSent) throw error;
    response.destroy();
  }
}

/** True when the reader has taken what was written; false when it has left, or taken too long. */
function drained(response: ServerResponse): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (isTaken: boolean) => {
      clearTimeout(timer);
      response.off("drain", onDrain);
      response.off("close", onClose);
      resolve(isTaken);
    };
    const onDrain = () => settle(true);
    const onClose = () => settle(false);
    const timer = setTimeout(onClose, drainTimeoutMs);
    response.on("drain", onDrain);
    response.on("close", onClose);
  });
}

/** Pages as one answer. */
export async function allPages({ status, headers, pages }: PagedAnswer): Promise<HttpAnswer> {
  let body = "";
  for await (const page of pages) body += page;
  return { status, headers: { ...headers }, body };
}
