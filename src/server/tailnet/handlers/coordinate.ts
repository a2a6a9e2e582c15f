import type { TailnetHandlers } from "./handlers.js";

/** Keeps the stream, so that an agent stays connected. */
export function coordinateHandlers(): TailnetHandlers {
  return {
    // biome-ignore lint/correctness/useYield: nothing is answered
    async *coordinate(requests) {
      for await (const request of requests) if (request.disconnect !== undefined) return;
    },
  };
}
