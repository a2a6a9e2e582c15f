import fc from "fast-check";
import { expect, it, onTestFinished } from "vitest";
import { dialAgent, LogLevel, LogSender } from "../../src/client/index-node.js";
import { sanitizedText } from "../../src/client/logs/log-text.js";
import { token } from "../support/control-plane.js";
import { describeWithGo, GoPeer } from "../support/go-peer.js";
import { runs } from "../support/scale.js";
import { agentRpc } from "./support/go-client.js";
import { GoServer } from "./support/go-server.js";

const rpc = agentRpc("BatchCreateLogs");
const source = "11111111-2222-4333-8444-555555555555";
const base64 = Buffer.from(source.replaceAll("-", ""), "hex").toString("base64");

interface SentLogs {
  logSourceId: string;
  logs: { output?: string; level: string; createdAt: string }[];
}

/** What a Go server was sent, batch by batch. */
async function received(server: GoServer): Promise<SentLogs[]> {
  return (await server.calls(rpc)).map(({ json }) => json as SentLogs);
}

/** Keeps a sender going over one connection after the other, until the test is over. */
function keepGoing(server: GoServer, sender: LogSender): { dials: () => number } {
  const end = new AbortController();
  let dials = 0;
  const going = (async () => {
    while (!end.signal.aborted) {
      const { url } = server;
      const connection = await dialAgent({ url, token, version: "2.0", role: "logs", proxy: false });
      dials++;
      const session = new AbortController();
      const stop = () => session.abort(new Error("the session is over"));
      end.signal.addEventListener("abort", stop);
      void connection.closed.then(stop);
      await sender.run(connection.agent, session.signal).catch(() => {});
      end.signal.removeEventListener("abort", stop);
      await connection.close();
    }
  })();
  onTestFinished(async () => {
    end.abort();
    await going;
  });
  return { dials: () => dials };
}

describeWithGo("C3.7 text that is no UTF-8", () => {
  it("becomes what strings.ToValidUTF8 makes of it", async () => {
    const peer = GoPeer.start();
    // bytes of which many make sequences that are cut short, too long, surrogates, or out of range
    const byte = fc.oneof(
      fc.constantFrom(
        0x61,
        0x7f,
        0x80,
        0xbf,
        0xc0,
        0xc1,
        0xc3,
        0xe0,
        0xed,
        0xef,
        0xf0,
        0xf4,
        0xf5,
        0xff,
        0xa0,
        0xbd,
      ),
      fc.nat(255),
    );
    const piece = fc.oneof(
      fc.array(byte, { maxLength: 6 }),
      fc.constantFrom("é", "漢", "🙂", "\uFFFD", "\uFEFF", "\0", "❌").map((text) => [...Buffer.from(text)]),
    );
    const text = fc.array(piece, { maxLength: 8 }).map((pieces) => Buffer.from(pieces.flat()));
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 50 }), async (all) => {
        const textsB64 = all.map((bytes) => bytes.toString("base64"));
        const { texts } = await peer.do("toValidUtf8", { textsB64, replacement: "❌" });
        const expected = (texts as string[]).map((one) => one.replaceAll("\0", "❌"));
        expect(all.map((bytes) => sanitizedText(bytes))).toEqual(expected);
      }),
      runs(100),
    );
  });
});

describeWithGo("the log sender and a Go server", () => {
  it("C3.14 agree on source, text, level and time", async () => {
    const server = await GoServer.start();
    const sender = new LogSender();
    keepGoing(server, sender);
    const createdAt = new Date("2026-01-02T03:04:05.678Z");
    await sender.send(source, [
      { output: "größe", level: LogLevel.WARN, createdAt },
      { output: "", createdAt },
    ]);
    await sender.whenEmpty();
    expect(await received(server)).toEqual([
      {
        logSourceId: base64,
        logs: [
          { output: "größe", level: "WARN", createdAt: "2026-01-02T03:04:05.678Z" },
          { level: "INFO", createdAt: "2026-01-02T03:04:05.678Z" },
        ],
      },
    ]);
  });

  it("C3.16 lose nothing when the session ends again and again while lines are sent", async () => {
    const server = await GoServer.start();
    const sender = new LogSender({ maxQueuedBytes: 2000, maxBatchBytes: 1000, flushIntervalMs: 1 });
    const { dials } = keepGoing(server, sender);
    const outputs = Array.from({ length: 2000 }, (_, i) => `line ${i}`);
    const logger = sender.source(source);
    for (let start = 0; start < outputs.length; start += 400) {
      await server.script(rpc, { stall: true });
      const writing = logger.send(outputs.slice(start, start + 400).map((output) => ({ output })));
      // the server has a batch, and does not answer
      await server.running(rpc);
      await server.script(rpc, null);
      await server.peer.do("close", { handle: Number(server.sessions.at(-1)?.["session"]) });
      await writing;
    }
    await sender.whenEmpty();
    const texts = (await received(server)).flatMap(({ logs }) => logs.map(({ output }) => output ?? ""));
    expect([...new Set(texts)]).toEqual(outputs);
    expect(dials()).toBe(6);
    // twice is only what was under way
    expect(texts.length).toBeGreaterThan(outputs.length);
    expect([sender.pending, sender.dropped]).toEqual([0, {}]);
  });

  it("C3.17 stop when the limit is reached", async () => {
    const server = await GoServer.start();
    await server.script(rpc, { reply: { logLimitExceeded: true } });
    const sender = new LogSender();
    const { connection } = await server.dial();
    sender.enqueue(source, [{ output: "one" }, { output: "two" }]);
    await sender.run(connection.agent, new AbortController().signal);
    expect([sender.isLimitReached, sender.dropped]).toEqual([true, { limit_reached: 2 }]);
    await sender.run(connection.agent, new AbortController().signal);
    expect(await received(server)).toHaveLength(1);
  });

  it("have done with each other where the RPC is missing", async () => {
    const server = await GoServer.start();
    await server.script(rpc, { missing: true });
    const sender = new LogSender();
    const { connection } = await server.dial();
    sender.enqueue(source, [{ output: "one" }]);
    await sender.run(connection.agent, new AbortController().signal);
    expect(sender.pending).toBe(1);
  });
});
