import type { LogLine } from "../../../src/client/index-node.js";

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

export const lines = (...outputs: string[]): LogLine[] => outputs.map((output) => ({ output }));
