import type { WireEvent } from "../../observe/index.js";

/** What can be looked at. */
export const layers = ["ws", "yamux", "drpc", "rpc"] as const;
export type Layer = (typeof layers)[number];

/** Which events are shown. */
export interface View {
  layers: ReadonlySet<Layer>;
  /** A part of the names of RPCs; upper and lower case are the same. */
  rpc: string | undefined;
  /** A yamux stream. */
  stream: number | undefined;
  /** Only what went wrong. */
  errors: boolean;
}

/** Events of layers; those without a layer are always of interest. */
const layerOf: Partial<Record<WireEvent["type"], Layer>> = {
  websocket: "ws",
  frame: "yamux",
  packet: "drpc",
  "rpc-begin": "rpc",
  "rpc-message": "rpc",
  "rpc-end": "rpc",
};

/** Whether a view has an event. */
export function shows(view: View, event: WireEvent): boolean {
  const layer = layerOf[event.type];
  if (layer !== undefined && !view.layers.has(layer)) return false;
  if (view.stream !== undefined && !("stream" in event && event.stream === view.stream)) return false;
  if (view.rpc !== undefined) {
    const rpc = "rpc" in event ? event.rpc : undefined;
    if (rpc === undefined || !rpc.toLowerCase().includes(view.rpc.toLowerCase())) return false;
  }
  return !view.errors || isError(event);
}

/** Whether something went wrong. */
export function isError(event: WireEvent): boolean {
  switch (event.type) {
    case "broken":
      return true;
    case "rpc-end":
      return event.code !== "ok";
    case "http":
      return event.status >= 400;
    case "end":
      return event.code !== 1000 && event.code !== 1001;
    case "websocket":
      return event.opcode === "close" && event.code !== 1000 && event.code !== 1001;
    case "frame":
      return event.flags.includes("RST") || (event.frame === "go-away" && event.length !== 0);
    case "packet":
      return event.kind === "Error";
    default:
      return false;
  }
}
