import type { ConnectionEvent, WireListener } from "./events.js";
import { type Redaction, showSecrets } from "./redact.js";

/** An event without what all events of a connection have. */
export type Happening<Event extends ConnectionEvent = ConnectionEvent> = Event extends ConnectionEvent
  ? Omit<Event, "time" | "connection">
  : never;

/** The time now, in milliseconds since 1970. It never goes back within a process. */
export function wallClock(): number {
  return Math.round((performance.timeOrigin + performance.now()) * 1000) / 1000;
}

/** A time between two, in milliseconds to the microsecond. */
export function millisecondsBetween(from: number, to: number): number {
  return Math.round((to - from) * 1000) / 1000;
}

/** What the decoders of one connection share. */
export class EventSink {
  readonly connection: number;
  readonly now: () => number;
  readonly redaction: Redaction;
  /** Whether messages are decoded. */
  decodesMessages = true;
  /** How many bytes of packets that are not complete may be kept. */
  readonly maxHeldBytes: number;
  /** How many are. */
  heldBytes = 0;
  readonly #listener: WireListener;

  constructor(
    listener: WireListener,
    facts: { connection: number; now?: () => number; redaction?: Redaction; maxHeldBytes: number },
  ) {
    this.#listener = listener;
    this.connection = facts.connection;
    this.now = facts.now ?? wallClock;
    this.redaction = facts.redaction ?? showSecrets;
    this.maxHeldBytes = facts.maxHeldBytes;
  }

  /** Tells of something now. What the listener throws is for it to know: whoever is watched must not feel it. */
  tell(happening: Happening): void {
    this.tellAt(this.now(), happening);
  }

  /** Tells of something at a time that is known already. */
  tellAt(time: number, happening: Happening): void {
    const { type, ...facts } = happening;
    try {
      this.#listener({ type, time, connection: this.connection, ...facts } as ConnectionEvent);
    } catch {
      // the connection goes on as if nobody watched
    }
  }
}
