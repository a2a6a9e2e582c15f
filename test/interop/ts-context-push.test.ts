import { expect, it } from "vitest";
import { ContextSender } from "../../src/client/index-node.js";
import { skillFile, Workplace } from "../local/context/workplace.js";
import { eventually } from "../support/control-plane.js";
import { describeWithGo } from "../support/go-peer.js";
import { agentRpc } from "./support/go-client.js";
import { GoServer } from "./support/go-server.js";

const rpc = agentRpc("PushContextState");
const base64 = (bytes: Uint8Array | string | undefined) => Buffer.from(bytes ?? "").toString("base64");

interface SentPush {
  version: string;
  initial?: boolean;
}

/** A sender on a connection to a Go server, until the end of the work. */
async function sending(server: GoServer, sender: ContextSender, work: () => Promise<void>): Promise<void> {
  const { connection } = await server.dial();
  const end = new AbortController();
  const run = sender.run(connection.agent, end.signal).catch((error: unknown) => {
    if (!end.signal.aborted) throw error;
  });
  await work();
  end.abort();
  await run;
}

async function pushes(server: GoServer): Promise<SentPush[]> {
  return (await server.calls(rpc)).map(({ json }) => json as SentPush);
}

describeWithGo("the workspace's context on a Go server", () => {
  it("arrives as it is, whatever its kind and status", async () => {
    const place = await Workplace.make({
      "work/AGENTS.md": "ä",
      "work/CLAUDE.md": Buffer.alloc(65_537),
      "work/.mcp.json": '{"secret":1}',
      "work/skills/alpha/SKILL.md": skillFile("alpha"),
    });
    const inputSchema = { type: "object", properties: { n: { type: "number" } } };
    const context = await place.opened({
      mcpServers: () => [{ name: "search", tools: [{ name: "find", inputSchema }] }],
    });
    const server = await GoServer.start();
    await server.script(rpc, { reply: { accepted: true } });
    const sender = new ContextSender(context);
    await sending(server, sender, () => sender.whenEmpty());
    const { aggregateHash, resources } = context.snapshot();
    const sent = (index: number, more: object) => {
      const { source, sourcePath, contentHash, sizeBytes, error } = resources[index] ?? {};
      return {
        source,
        contentHash: base64(contentHash),
        sizeBytes: String(sizeBytes),
        ...(sourcePath === "" ? {} : { sourcePath }),
        ...(error === "" ? {} : { error }),
        ...more,
      };
    };
    expect(await pushes(server)).toEqual([
      {
        version: "1",
        initial: true,
        aggregateHash: base64(aggregateHash),
        resources: [
          sent(0, { status: "OK", instructionFile: { content: base64("ä") } }),
          sent(1, { status: "OVERSIZE", instructionFile: {} }),
          sent(2, { status: "OK", mcpConfig: {} }),
          sent(3, {
            status: "OK",
            mcpServer: { serverName: "search", tools: [{ name: "find", inputSchema }] },
          }),
          sent(4, {
            status: "OK",
            skill: { meta: base64(skillFile("alpha")), name: "alpha", description: "does alpha" },
          }),
        ],
      },
    ]);
  });

  it("is initial once on each connection, and is pushed after each change (C4.71)", async () => {
    const place = await Workplace.make();
    const context = await place.opened();
    const server = await GoServer.start();
    const sender = new ContextSender(context);
    await sending(server, sender, async () => {
      await sender.whenEmpty();
      await place.write({ "work/AGENTS.md": "" });
      await eventually(async () => (await pushes(server)).length === 2, "the second push");
    });
    await sending(server, sender, () =>
      eventually(async () => (await pushes(server)).length === 3, "the push on the next connection"),
    );
    expect((await pushes(server)).map(({ version, initial }) => [version, initial])).toEqual([
      ["1", true],
      ["2", undefined],
      ["2", true],
    ]);
  });

  it("is tried again after an error, and given up where the RPC is missing (C4.72)", async () => {
    const context = await (await Workplace.make()).opened();
    const server = await GoServer.start();
    await server.script(rpc, { error: { code: 8, text: "no room" } });
    const sender = new ContextSender(context, { firstRetryMs: 1, maxRetryMs: 1 });
    await sending(server, sender, async () => {
      await eventually(async () => (await pushes(server)).length > 2, "the third try");
      await server.script(rpc, { reply: { accepted: true } });
      await sender.whenEmpty();
    });
    const tries = await pushes(server);
    expect(new Set(tries.map(({ version, initial }) => `${version} ${initial}`))).toEqual(
      new Set(["1 true"]),
    );
    for (const missing of [{ missing: true }, { unimplemented: true }]) {
      await server.script(rpc, missing);
      const { connection } = await server.dial();
      await sender.run(connection.agent, new AbortController().signal);
      expect(sender.pending).toBe(0);
      // the connection is still good
      await connection.agent.getManifest({});
    }
  });
});
