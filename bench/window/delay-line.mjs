// A TCP proxy that hands each chunk on after a while, in order, and as many of them as come: it delays, and limits
// nothing else. A thread of its own, so that neither end waits for it.
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

/** Timers of some systems are late by so much: for the rest of the time the thread looks at the clock. */
const lateMs = 8;

/**
 * @param {number} port where it leads
 * @param {number} delayMs each way
 * @returns {Promise<{ port: number, close(): Promise<unknown> }>}
 */
export async function delayLine(port, delayMs) {
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { port, delayMs } });
  const [own] = await once(worker, "message");
  return { port: own, close: () => worker.terminate() };
}

if (!isMainThread) {
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port: workerData.port, host: "127.0.0.1", noDelay: true });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ]) {
      delayed(from, to, workerData.delayMs);
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
    }
  });
  server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));
}

function delayed(from, to, delayMs) {
  const chunks = [];
  let isWaiting = false;
  const next = () => {
    const now = performance.now();
    while (chunks.length > 0 && chunks[0].dueMs <= now) to.write(chunks.shift().bytes);
    isWaiting = chunks.length > 0;
    if (isWaiting) wait(chunks[0].dueMs - now);
  };
  const wait = (/** @type {number} */ ms) => {
    if (ms > 2 * lateMs) setTimeout(next, ms - lateMs);
    else setImmediate(next);
  };
  from.on("data", (bytes) => {
    chunks.push({ bytes, dueMs: performance.now() + delayMs });
    if (isWaiting) return;
    isWaiting = true;
    wait(delayMs);
  });
}
