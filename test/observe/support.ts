import type { Direction } from "../../src/observe/index.js";
import { ConnectionDecoder, type ConnectionEvent, type DecoderOptions } from "../../src/observe/index.js";
import { type RecordedBytes, recorded } from "../support/vectors.js";

/** A decoder that keeps what it tells, with a clock that stands still. */
export function decoder(options: DecoderOptions = {}) {
  const events: ConnectionEvent[] = [];
  const made = new ConnectionDecoder((event) => events.push(event), { now: () => 0, ...options });
  return { decoder: made, events };
}

/** One direction's bytes at a time, as recorded. */
export interface Step {
  direction: Direction;
  bytes: Uint8Array;
}

export function stepsOf(
  steps: readonly { dir: "c2s" | "s2c"; bytes?: RecordedBytes; payload?: RecordedBytes }[],
): Step[] {
  return steps.flatMap(({ dir, bytes = [], payload = bytes }) => ({
    direction: dir === "c2s" ? ("to-server" as const) : ("to-client" as const),
    bytes: recorded(payload),
  }));
}

/** Frames and packets in the words of the recordings. */
export function words(event: ConnectionEvent): string | undefined {
  if (event.type === "frame") {
    const names = { data: "Data", "window-update": "WindowUpdate", ping: "Ping", "go-away": "GoAway" };
    return `yamux ${names[event.frame]}[${event.flags.join("|")}] stream=${event.stream} length=${event.length}`;
  }
  if (event.type !== "packet") return undefined;
  const control = event.isControl ? " control" : "";
  return `drpc ${event.kind} stream=${event.rpcStream} message=${event.message} done${control}`;
}

/** Calls in words: `begin NAME`, `-> 12`, `<- 5`, `end ok`. */
export function calls(events: readonly ConnectionEvent[]): string[] {
  return events.flatMap((event) => {
    if (event.type === "rpc-begin") return `begin ${event.rpc.replace(/^.*[./](?=.*\/)/, "")}`;
    if (event.type === "rpc-message")
      return `${event.direction === "to-server" ? "->" : "<-"} ${event.bytes}`;
    if (event.type === "rpc-end")
      return `end ${event.code}${event.error === undefined ? "" : `: ${event.error}`}`;
    if (event.type === "broken") return `broken ${event.layer}: ${event.text}`;
    return [];
  });
}
