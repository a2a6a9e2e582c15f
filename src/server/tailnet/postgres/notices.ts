import { goodbyes } from "../news-texts.js";
import type { LineEnd } from "../peer-line.js";

/** The channel that all coordinators of a database hear each other on. */
export const channel = "agentwire_tailnet";

/** What coordinators tell each other. All but the handshake are hints: who hears them reads how things are. */
export type Notice =
  /** A peer has come, with a connection of this number: one with a lower number has to go. S4.24. */
  | { of: "join"; id: string; connection: number }
  /** A peer has another node. */
  | { of: "node"; id: string }
  /** A tunnel is open. */
  | { of: "tunnel"; src: string; dst: string }
  /** A tunnel is removed. */
  | { of: "removed"; src: string; dst: string }
  /** A connection is over, and with it the tunnels that it had opened. */
  | { of: "gone"; id: string; connection: number; why: LineEnd }
  /** S4.19. */
  | { of: "ready"; from: string; to: string };

/** PostgreSQL carries less than 8,000 bytes in one message; no notice has more than 88. */
const maxNoticesPerPayload = 85;

/** Notices as payloads of NOTIFY. */
export function payloadsOf(notices: readonly Notice[]): string[] {
  const payloads: string[] = [];
  for (let at = 0; at < notices.length; at += maxNoticesPerPayload) {
    const some = notices.slice(at, at + maxNoticesPerPayload);
    payloads.push(some.map(textOf).join(","));
  }
  return payloads;
}

function textOf(notice: Notice): string {
  const { of } = notice;
  switch (of) {
    case "join":
      return `${of}:${notice.id}:${notice.connection}`;
    case "node":
      return `${of}:${notice.id}`;
    case "tunnel":
    case "removed":
      return `${of}:${notice.src}:${notice.dst}`;
    case "gone":
      return `${of}:${notice.id}:${notice.connection}:${notice.why}`;
    case "ready":
      return `${of}:${notice.from}:${notice.to}`;
  }
}

/**
 * An expression of SQL for the payloads of notices, one for each row.
 * @param rows a query of `text`, a notice in the form of {@link payloadsOf}.
 */
export function payloadsQuery(rows: string): string {
  return `select string_agg(text, ',') as payload
    from (select text, (row_number() over () - 1) / ${maxNoticesPerPayload} as part from (${rows}) as r) as numbered
    group by part`;
}

/** @throws TypeError when a payload is not one of {@link payloadsOf}. */
export function noticesOf(payload: string): Notice[] {
  return payload.split(",").map(noticeOf);
}

const uuidForm = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function noticeOf(text: string): Notice {
  const [of, a = "", b = "", c = ""] = text.split(":");
  switch (of) {
    case "join":
      return { of, id: uuid(a), connection: integer(b) };
    case "node":
      return { of, id: uuid(a) };
    case "tunnel":
    case "removed":
      return { of, src: uuid(a), dst: uuid(b) };
    case "gone":
      return { of, id: uuid(a), connection: integer(b), why: lineEnd(c) };
    case "ready":
      return { of, from: uuid(a), to: uuid(b) };
    default:
      throw unreadable("its kind is not known");
  }
}

function uuid(text: string): string {
  if (uuidForm.test(text)) return text;
  throw unreadable("an id is not a UUID");
}

function integer(text: string): number {
  const value = Number(text);
  if (text !== "" && Number.isSafeInteger(value)) return value;
  throw unreadable("a connection is not a number");
}

function lineEnd(text: string): LineEnd {
  if (Object.hasOwn(goodbyes, text)) return text as LineEnd;
  throw unreadable("it does not say how a connection ended");
}

function unreadable(why: string): TypeError {
  return new TypeError(`A message on ${channel} cannot be read: ${why}.`);
}
