import { errorText } from "../../rpc/error-text.js";
import { type AgentHttpOptions, type AgentRequest, openAgentRequest } from "../http/agent-request.js";
import { pause } from "../pause.js";
import { type RetryCurve, retryCurve } from "../retry-curve.js";
import { TimeLimit } from "../time-limit.js";
import { EventStreamReader } from "./event-stream.js";
import { ReinitError } from "./reinit-error.js";
import { parseReinitEvent, type ReinitEvent } from "./reinit-event.js";

/** How an agent hears that it is to begin anew. */
export interface ReinitOptions extends Omit<AgentHttpOptions, "timeoutMs"> {
  /** Told why a request has failed; the next one follows. */
  onError?: ((error: ReinitError) => void) | undefined;
  /** Told what the server said when it has no events for this agent, now or later (status 409). C1.67. */
  onRefused?: ((error: ReinitError) => void) | undefined;
  /** How long to wait before each request; the curve of C1.70, which is reset after an event, by default. */
  retry?: RetryCurve | undefined;
  /** A request is given up when so long nothing has come, pings included; 90,000 by default, six pings. */
  silenceTimeoutMs?: number | undefined;
  /** Longest line of the events, in bytes; 64 KiB by default. */
  maxLineBytes?: number | undefined;
}

const defaultSilenceTimeoutMs = 90_000;
const defaultMaxLineBytes = 64 * 1024;
const refusedForGood = 409;

const request: AgentRequest = { method: "GET", route: "me/reinit", query: { wait: "true" } };

/**
 * Tells when an agent of a prebuilt workspace is to begin anew. One event for each request; the next request is made
 * when the consumer asks for the next event. C1.60–C1.64.
 *
 * It ends with the signal, and for good when the server answers 409, as it does to ordinary workspaces. All other
 * failures go to `onError`, and are followed by another request.
 *
 * A server tells of a claim at every request: put {@link reinitsFor} around it, or the same event comes for ever.
 */
export async function* reinitEvents(options: ReinitOptions): AsyncGenerator<ReinitEvent, void, undefined> {
  const { retry = retryCurve(), signal = new AbortController().signal } = options;
  for (;;) {
    const event = await eventAfter(retry.next(), options, signal).catch((error: unknown) => {
      if (signal.aborted) return "over";
      const failure = new ReinitError(error);
      const isRefused = failure.status === refusedForGood;
      (isRefused ? options.onRefused : options.onError)?.(failure);
      return isRefused ? "over" : "failed";
    });
    if (event === "over") return;
    if (event === "failed") continue;
    yield event;
    if (signal.aborted) return;
    retry.reset();
  }
}

/**
 * Events up to the first that was handled already: one with the owner of the event before it. C1.68. The owner counts
 * as handled when the next event is asked for.
 * @param lastOwnerId the owner of the event that was handled last, if there was one.
 */
export async function* reinitsFor(
  events: AsyncIterable<ReinitEvent>,
  lastOwnerId?: string,
): AsyncGenerator<ReinitEvent, void, undefined> {
  let handled = lastOwnerId?.toLowerCase();
  for await (const event of events) {
    if (event.ownerId !== undefined && event.ownerId === handled) return;
    yield event;
    handled = event.ownerId;
  }
}

async function eventAfter(waitMs: number, options: ReinitOptions, signal: AbortSignal): Promise<ReinitEvent> {
  if (waitMs > 0) await pause(waitMs, signal);
  signal.throwIfAborted();
  const limit = new TimeLimit(options.silenceTimeoutMs ?? defaultSilenceTimeoutMs, signal);
  try {
    const response = await openAgentRequest(options, request, limit);
    return await firstEvent(response, limit, options.maxLineBytes ?? defaultMaxLineBytes);
  } finally {
    limit.release();
  }
}

/** The first event; the answer is given up then. C1.62. */
async function firstEvent(response: Response, limit: TimeLimit, maxLineBytes: number): Promise<ReinitEvent> {
  const reader = response.body?.getReader();
  const events = new EventStreamReader(maxLineBytes);
  try {
    for (;;) {
      limit.restart();
      const value = await nextChunk(reader, limit);
      const { value: event } = events.push(value).next();
      if (event?.name === "error") throw new Error("unexpected server sent event type error");
      if (event !== undefined) return parseReinitEvent(event.data);
    }
  } finally {
    await reader?.cancel().catch(() => {});
  }
}

async function nextChunk(
  reader: ReadableStreamDefaultReader<Uint8Array> | undefined,
  limit: TimeLimit,
): Promise<Uint8Array> {
  try {
    const chunk = await reader?.read();
    if (chunk?.value !== undefined) return chunk.value;
  } catch (error) {
    const cause = limit.isOver ? limit.signal.reason : error;
    throw readFailure(errorText(cause), cause);
  }
  throw readFailure("EOF");
}

/** C1.61. */
function readFailure(reason: string, cause?: unknown): Error {
  return new Error(`failed to read server-sent event: reading next string: ${reason}`, { cause });
}
