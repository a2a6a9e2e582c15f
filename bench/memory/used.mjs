import { setTimeout as pause } from "node:timers/promises";

/**
 * What is in use after collections, in bytes; needs `--expose-gc`. `heap` is of the engine, `buffers` lies beside it.
 *
 * @returns {Promise<{ heap: number, buffers: number, rss: number }>}
 */
export async function used() {
  // what finalizers let go needs another collection
  for (let i = 0; i < 4; i++) {
    globalThis.gc();
    await pause(20);
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed, buffers: external, rss };
}
