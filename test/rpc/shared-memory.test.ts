import { createClient } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { agentCodecs } from "../../src/gen/coder/agent/v2/agent_codec.js";
import { Agent } from "../../src/gen/coder/agent/v2/agent_pb.js";
import { createServiceClient } from "../../src/rpc/index.js";
import { EchoService } from "../gen/agentwire/test/v1/echo_pb.js";
import { collect, serve } from "../support/echo.js";

const table = { codecs: agentCodecs };
const transport = { codecs: agentCodecs };

/** Serves logs: what came is kept by the number that the first line begins with. */
function logServer(yamux: object) {
  const came = new Map<number, string>();
  const served = serve(
    (router) =>
      router.service(Agent, {
        batchCreateLogs({ logs }) {
          const text = logs[0]?.output ?? "";
          came.set(Number.parseInt(text, 10), text);
          return {};
        },
      }),
    { table, transport, yamux },
  );
  return { came, agent: createClient(Agent, served.transport) };
}

/** One letter only, which tells whose the text is, and where it ends. */
const textOf = (call: number, length: number) =>
  `${call} ${String.fromCharCode(97 + (call % 26)).repeat(length)}.`;

describe("requests share the memory in which they are encoded", () => {
  it.each([10, 3000, 200_000])(
    "of %i letters each arrive as they were, where they wait for a stream",
    async (length) => {
      const { came, agent } = logServer({ maxUnacknowledgedStreams: 1, maxStreams: 2 });
      const calls = Array.from({ length: 40 }, (_, call) =>
        agent.batchCreateLogs({ logs: [{ output: textOf(call, length) }] }),
      );
      await Promise.all(calls);
      for (let call = 0; call < 40; call++) expect(came.get(call)).toBe(textOf(call, length));
    },
  );

  it("and arrive as they were, where they wait for room in the window or the connection", async () => {
    const { came, agent } = logServer({ sendBufferBytes: 64 * 1024 });
    const lengths = [300_000, 20, 70_000, 65_536, 1_000_000, 5000];
    await Promise.all(
      lengths.map((length, call) => agent.batchCreateLogs({ logs: [{ output: textOf(call, length) }] })),
    );
    for (const [call, length] of lengths.entries()) expect(came.get(call)).toBe(textOf(call, length));
  });
});

describe("answers of a stream", () => {
  const counting = () =>
    serve((router) =>
      router.service(EchoService, {
        async *serverStream() {
          for (let i = 0; i < 2000; i++) yield { payload: Buffer.alloc(100 + (i % 900), i % 251) };
        },
      }),
    );

  it("that wait to be read stay as they came", async () => {
    const echo = createServiceClient(EchoService, counting().transport);
    const answers = [];
    for await (const { payload } of echo.serverStream({})) {
      answers.push(payload);
      if (answers.length % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(answers).toHaveLength(2000);
    for (const [i, payload] of answers.entries()) {
      expect(payload.length).toBe(100 + (i % 900));
      expect(payload.every((byte) => byte === i % 251)).toBe(true);
    }
  });

  it("are in order for who asks for several at once, and then over", async () => {
    const echo = createServiceClient(EchoService, counting().transport);
    const answers = echo.serverStream({})[Symbol.asyncIterator]();
    const first = await Promise.all(Array.from({ length: 20 }, () => answers.next()));
    expect(first.map(({ value }) => value?.payload[0])).toEqual(Array.from({ length: 20 }, (_, i) => i));
    await answers.return?.();
    expect(await answers.next()).toEqual({ done: true, value: undefined });
  });

  it("of a call that fails are an error once, and then over", async () => {
    const { transport } = serve((router) => router.service(EchoService, {}));
    const answers = createServiceClient(EchoService, transport).serverStream({})[Symbol.asyncIterator]();
    await expect(answers.next()).rejects.toThrow("Unimplemented");
    expect(await answers.next()).toEqual({ done: true, value: undefined });
  });

  it("say header and trailer once, also to who goes on asking", async () => {
    const said: string[] = [];
    const echo = createServiceClient(EchoService, counting().transport);
    const options = { onHeader: () => said.push("header"), onTrailer: () => said.push("trailer") };
    const answers = echo.serverStream({}, options);
    expect(await collect(answers)).toHaveLength(2000);
    expect(await collect(answers)).toHaveLength(0);
    expect(said.slice(0, 2)).toEqual(["header", "trailer"]);
  });
});
