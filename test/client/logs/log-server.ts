import type { LogLine, LogSender } from "../../../src/client/index-node.js";

export const sourceA = Buffer.alloc(16, 1);
export const sourceB = Buffer.alloc(16, 2);

export interface Batch {
  source: number;
  lines: string[];
}

/** A server that keeps what it is sent, and answers when the test says so. */
export function fakeServer(answer: (batch: Batch) => Promise<{ logLimitExceeded: boolean }> = () => taken) {
  const batches: Batch[] = [];
  const agent = {
    batchCreateLogs: async (request: { logSourceId?: Uint8Array; logs?: { output?: string }[] }) => {
      const batch = {
        source: request.logSourceId?.[0] ?? 0,
        lines: (request.logs ?? []).map(({ output = "" }) => output),
      };
      batches.push(batch);
      return answer(batch);
    },
  };
  return { batches, agent: agent as never };
}

export const taken = Promise.resolve({ logLimitExceeded: false });

/** Runs a sender until the end of the test's work. */
export async function running(sender: LogSender, agent: never, work: () => Promise<void>): Promise<void> {
  const abort = new AbortController();
  const run = sender.run(agent, abort.signal).catch((error: unknown) => {
    if (!abort.signal.aborted) throw error;
  });
  await work();
  abort.abort();
  await run;
}

export const lines = (...outputs: string[]): LogLine[] => outputs.map((output) => ({ output }));
