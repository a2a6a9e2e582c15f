import { open } from "node:fs/promises";
import { errorText } from "../../../rpc/error-text.js";
import { readDerpMap } from "./derp-map-json.js";
import type { OnDerpMapProblem } from "./listeners.js";
import { type ClosableDerpMap, polledDerpMap } from "./polled-derp-map.js";

/** How a file with a map is read. */
export interface DerpMapFileOptions {
  /** How often it is looked at, in milliseconds; 1,000 by default. */
  intervalMs?: number;
  /** Told when it cannot be read any more, or is no map; by default nobody is. */
  onProblem?: OnDerpMapProblem;
  /** Ends it, as `close` does. */
  signal?: AbortSignal;
}

/** A map is far smaller. */
const maxBytes = 4 * 1024 * 1024;

/**
 * The map in a file, read again when the file changes: JSON as network clients have it (`{"Regions": …}`, as the
 * endpoints for connections show it), or the protobuf JSON of the message. While the file cannot be read, or is no
 * map, the last good one stays.
 * @throws Error when there is no map in it at the beginning: a `DerpMapError` when what is there is none.
 */
export function derpMapFile(path: string, options: DerpMapFileOptions = {}): Promise<ClosableDerpMap> {
  const { intervalMs = 1_000, onProblem, signal } = options;
  let known = "";
  const load = async () => {
    const found = await contents(path, known);
    if (found === undefined) return undefined;
    const map = readDerpMap(found.text, path);
    // one that is no map is not known: it is looked at until it is one
    known = found.version;
    return map;
  };
  return polledDerpMap(load, { intervalMs, onProblem, signal });
}

/** @returns undefined when the file is of the version that is known. */
async function contents(path: string, known: string): Promise<{ text: string; version: string } | undefined> {
  try {
    const file = await open(path);
    try {
      const stats = await file.stat({ bigint: true });
      if (!stats.isFile()) throw new Error("it is no file");
      // the text may be newer than this, and is read again then
      const { mtimeNs, ctimeNs, size, ino } = stats;
      const version = [mtimeNs, ctimeNs, size, ino].join();
      if (version === known) return undefined;
      if (size > maxBytes) throw new RangeError(`it has more than ${maxBytes} bytes`);
      return { text: await file.readFile("utf8"), version };
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new Error(`the map of relays ${path} cannot be read: ${errorText(error)}`, { cause: error });
  }
}
