import type { WireEvent } from "../../observe/index.js";
import { type Paint, printable } from "../colors.js";
import { isError } from "./view.js";

/** An event as a line for people, without its line break. */
export function eventLine(event: WireEvent, paint: Paint): string {
  const where = event.type === "http" ? "" : `#${event.connection} `;
  const direction = "direction" in event ? event.direction : undefined;
  const arrow =
    direction === "to-server" ? paint("cyan", "→") : direction === "to-client" ? paint("green", "←") : " ";
  const [label, text] = told(event);
  const shown = printable(text);
  const body = isError(event) ? paint("red", shown) : shown;
  return `${paint("dim", clock(event.time))} ${where}${arrow} ${paint("bold", label.padEnd(6))} ${body}`;
}

/** Headers that every upgrade has. */
const mechanical = /^(?:host|connection|upgrade|sec-websocket-(?!protocol).*)$/;

/** What the event is of, and what happened. */
function told(event: WireEvent): readonly [label: string, text: string] {
  switch (event.type) {
    case "open": {
      const headers = Object.entries(event.headers ?? {}).filter(([name]) => !mechanical.test(name));
      return ["open", [event.target, ...headers.map(([name, value]) => `${name}: ${value}`)].join("  ")];
    }
    case "end":
      return ["end", `${closed(event)}, after ${duration(event.durationMs)}`];
    case "http": {
      const why = event.error === undefined ? "" : `: ${event.error}`;
      return ["http", `${event.method} ${event.target} ${event.status}, ${duration(event.durationMs)}${why}`];
    }
    case "websocket": {
      const part = event.isPart === true ? " (more follows)" : "";
      const code = event.code === undefined ? "" : ` ${closed(event)}`;
      return ["ws", `${event.opcode}${code}${part}, ${event.bytes} B`];
    }
    case "frame": {
      const words = [event.frame, ...event.flags, ...(event.stream === 0 ? [] : [`stream ${event.stream}`])];
      const window = event.window === undefined ? "" : `, window ${event.window}`;
      return ["yamux", `${words.join(" ")}, ${lengthOf(event)}${window}${of(event.rpc)}`];
    }
    case "packet": {
      const control = event.isControl === true ? " control" : "";
      const ids = `${event.rpcStream}.${event.message}`;
      return [
        "drpc",
        `${event.kind} ${ids}${control} stream ${event.stream}, ${event.bytes} B${of(event.rpc)}`,
      ];
    }
    case "rpc-begin": {
      const metadata = event.metadata === undefined ? "" : ` with ${JSON.stringify(event.metadata)}`;
      return ["rpc", `${shortName(event.rpc)} stream ${event.stream} begins${metadata}`];
    }
    case "rpc-message": {
      const json = event.json === undefined ? "" : ` ${JSON.stringify(event.json)}`;
      return ["rpc", `${shortName(event.rpc)} stream ${event.stream}, ${event.bytes} B${json}`];
    }
    case "rpc-end": {
      const why = event.error === undefined ? "" : `: ${event.error}`;
      const { toServer, toClient } = event;
      const code = event.drpcCode === undefined ? event.code : `${event.code} (dRPC code ${event.drpcCode})`;
      const traffic = `${toServer.messages} → ${toServer.bytes} B, ${toClient.messages} ← ${toClient.bytes} B`;
      const facts = `${duration(event.durationMs)}, ${traffic}`;
      return ["rpc", `${shortName(event.rpc)} stream ${event.stream} ends ${code}${why} (${facts})`];
    }
    case "broken": {
      const stream = event.stream === undefined ? "" : ` on stream ${event.stream}`;
      return ["broken", `${event.layer}${stream}${of(event.rpc)}: ${event.text}`];
    }
  }
}

function closed({ code, reason }: { code?: number; reason?: string }): string {
  if (code === undefined) return reason ?? "lost";
  return reason === undefined || reason === "" ? `${code}` : `${code} "${reason}"`;
}

/** What the length of a frame means. */
function lengthOf({ frame, length }: { frame: string; length: number }): string {
  if (frame === "data") return `${length} B`;
  if (frame === "window-update") return `+${length}`;
  return frame === "ping" ? `value ${length}` : `code ${length}`;
}

function of(rpc: string | undefined): string {
  return rpc === undefined ? "" : ` (${shortName(rpc)})`;
}

/** `/coder.agent.v2.Agent/GetManifest` as `Agent/GetManifest`. */
function shortName(rpc: string): string {
  return rpc.replace(/^\/(?:[\w]+\.)*/, "");
}

function duration(ms: number): string {
  return ms < 10_000 ? `${ms.toFixed(1)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** The time of day here, to the millisecond. */
function clock(time: number): string {
  const date = new Date(time);
  const two = (value: number) => String(value).padStart(2, "0");
  const ms = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`;
}
