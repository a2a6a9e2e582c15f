import type { WireEvent } from "./events.js";

/** The first line of a recording. */
export interface RecordingHead {
  type: "recording";
  /** Of the format: 1. A reader refuses others. */
  format: 1;
  /** Where the recorder listened, and what for; absent where it was no proxy. */
  listening?: { url: string; target: string };
}

/** A recording that cannot be read. */
export class RecordingError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "RecordingError";
  }
}

const types: ReadonlySet<unknown> = new Set<WireEvent["type"]>([
  "open",
  "end",
  "http",
  "websocket",
  "frame",
  "packet",
  "rpc-begin",
  "rpc-message",
  "rpc-end",
  "broken",
]);

/** A head or an event as a line of a recording, with its line break. */
export function recordingLine(line: RecordingHead | WireEvent): string {
  return `${JSON.stringify(line)}\n`;
}

/**
 * The first line of a recording.
 * @throws RecordingError when it is none, or of a format that is not known.
 */
export function readRecordingHead(line: string): RecordingHead {
  const value = objectIn(line);
  if (value?.["type"] !== "recording") throw new RecordingError("this is no recording of agentwire inspect");
  if (value["format"] !== 1) {
    throw new RecordingError(`the recording has format ${value["format"]}; this version reads 1`);
  }
  const { listening } = value;
  return { type: "recording", format: 1, ...(isListening(listening) && { listening }) };
}

/**
 * A line after the first.
 * @returns undefined for events of types that a later version may have.
 * @throws RecordingError when it is no event.
 */
export function readRecordedEvent(line: string): WireEvent | undefined {
  const value = objectIn(line);
  if (value === undefined || typeof value["type"] !== "string" || typeof value["time"] !== "number") {
    throw new RecordingError("a line is no event: the recording has been cut or changed");
  }
  return types.has(value["type"]) ? (value as unknown as WireEvent) : undefined;
}

function objectIn(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function isListening(value: unknown): value is { url: string; target: string } {
  if (typeof value !== "object" || value === null) return false;
  const { url, target } = value as Record<string, unknown>;
  return typeof url === "string" && typeof target === "string";
}
