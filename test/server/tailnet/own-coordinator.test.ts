import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { CoordinateResponseSchema } from "../../../src/gen/coder/tailnet/v2/tailnet_pb.js";
import type { Coordination, Coordinator } from "../../../src/server/tailnet/coordinator.js";
import { talk } from "../../support/tailnet.js";
import { userConnection } from "./user-calls.js";

const broken = () => {
  throw new Error("the coordinator is broken");
};

/** A coordinator that says one thing to each peer, and then nothing. */
function coordinatorWith(part: () => Partial<Coordination>): Coordinator {
  return {
    peerCount: 0,
    close: async () => {},
    coordinate: () => ({ responses: answers(), send: async () => {}, end: () => {}, ...part() }),
  };
}

function answers(): Coordination["responses"] {
  const first = create(CoordinateResponseSchema, { error: "hello" });
  let count = 0;
  let wake = () => {};
  return {
    async next() {
      if (count++ === 0) return { done: false, value: first };
      await new Promise<void>((resolve) => (wake = resolve));
      return { done: true, value: undefined };
    },
    async return() {
      wake();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

describe("a coordinator of the implementer's that fails", () => {
  it.each<[string, () => Partial<Coordination>]>([
    ["to end", () => ({ end: broken })],
    ["to leave", () => ({ responses: { ...answers(), return: async () => broken() } })],
    ["to take what is said", () => ({ send: async () => broken() })],
    ["to take what is said, and to end", () => ({ send: async () => broken(), end: broken })],
  ])("%s costs nobody else anything", async (_name, part) => {
    const { connection, deps } = await userConnection({}, { coordinator: coordinatorWith(part) });
    const abandoned = talk(connection.tailnet);
    abandoned.say({ updateSelf: { node: { id: 1n } } });
    expect((await abandoned.next())?.error).toBe("hello");
    const ended = talk(connection.tailnet);
    expect((await ended.next())?.error).toBe("hello");
    ended.end();
    await connection.tailnet.refreshResumeToken({});
    deps.streams.end();
    await connection.close();
  });

  it("to take a peer fails that peer's call", async () => {
    const coordinator = { ...coordinatorWith(() => ({})), coordinate: broken };
    const { connection } = await userConnection({}, { coordinator });
    await expect(talk(connection.tailnet).next()).rejects.toThrow("the coordinator is broken");
    await connection.tailnet.refreshResumeToken({});
  });
});
