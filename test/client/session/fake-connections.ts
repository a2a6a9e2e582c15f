import type { AgentConnection } from "../../../src/client/index-node.js";

/** A connection that a test ends. */
export interface FakeConnection extends AgentConnection {
  /** Ends it from the other side. */
  lose(reason?: string): void;
  /** With which `timeoutMs` it was closed from this side. */
  readonly closes: (number | undefined)[];
}

export function fakeConnection(agent: unknown = {}): FakeConnection {
  let end: (reason: Error) => void = () => {};
  const closed = new Promise<Error>((resolve) => {
    end = resolve;
  });
  const closes: (number | undefined)[] = [];
  return {
    agent,
    closed,
    closes,
    lose: (reason = "end of file") => end(new Error(reason)),
    close: async ({ timeoutMs }: { timeoutMs?: number } = {}) => {
      closes.push(timeoutMs);
      end(new Error("closed from this side"));
    },
  } as unknown as FakeConnection;
}
