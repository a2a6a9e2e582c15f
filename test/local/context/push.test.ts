import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { type AgentConnection, ContextSender } from "../../../src/client/index-node.js";
import { PushContextStateRequestSchema } from "../../../src/gen/coder/agent/v2/agent_pb.js";
import type { WorkspaceContext } from "../../../src/local/index.js";
import { dialled } from "../../support/control-plane.js";
import { testPlane } from "../../support/test-plane.js";
import { skillFile, Workplace } from "./workplace.js";

const secret = "sk-very-secret";

/** Pushes over a connection until the newest is there. */
async function pushed(context: WorkspaceContext, connection: AgentConnection): Promise<void> {
  const sender = new ContextSender(context);
  const end = new AbortController();
  const run = sender.run(connection.agent, end.signal).catch((error: unknown) => {
    if (!end.signal.aborted) throw error;
  });
  await Promise.race([sender.whenEmpty(), run]);
  end.abort();
  await run;
}

describe("what is pushed of a context", () => {
  it("has the variant of the body of each kind, and a content only where it is ok (C4.73, C4.74)", async () => {
    const place = await Workplace.make({
      "work/AGENTS.md": "instructions",
      "work/CLAUDE.md": Buffer.alloc(65_537),
      "work/.mcp.json": `{"mcpServers":{"x":{"env":{"KEY":"${secret}"}}}}`,
      "work/a/.mcp.json": `not json ${secret}`,
      "work/skills/good/SKILL.md": skillFile("good"),
      "work/skills/bad/SKILL.md": "bad",
    });
    const tools = [{ name: "find", inputSchema: { type: "object" } }, { name: "plain" }];
    const context = await place.opened({
      mcpServers: () => [
        { name: "search", description: "searches", tools },
        { name: "huge", tools: [{ name: "t", description: "x".repeat(70_000) }] },
      ],
    });
    const request = create(PushContextStateRequestSchema, context.pushRequest(true));
    expect(request).toMatchObject({ version: 1n, initial: true, snapshotError: "" });
    expect(request.aggregateHash).toEqual(context.snapshot().aggregateHash);
    const bodies = request.resources.map(({ source, sourcePath, status, body }) => ({
      source: source.replace(`${place.work}/`, ""),
      sourcePath: sourcePath?.replace(`${place.work}/`, ""),
      status,
      case: body.case,
      ...body.value,
      $typeName: undefined,
    }));
    const bytes = (text: string) => new Uint8Array(Buffer.from(text));
    expect(bodies).toMatchObject([
      { source: "AGENTS.md", case: "instructionFile", status: 1, content: bytes("instructions") },
      { source: "CLAUDE.md", case: "instructionFile", status: 2, content: new Uint8Array() },
      { source: ".mcp.json", sourcePath: ".mcp.json", case: "mcpConfig", status: 1 },
      { source: "a/.mcp.json", case: "mcpConfig", status: 4 },
      { source: "mcp:huge", sourcePath: undefined, case: "mcpServer", status: 2, serverName: "", tools: [] },
      {
        source: "mcp:search",
        case: "mcpServer",
        status: 1,
        serverName: "search",
        description: "searches",
        tools: [{ name: "find", inputSchema: { type: "object" } }, { name: "plain" }],
      },
      {
        source: "skills/bad",
        sourcePath: "skills/bad/SKILL.md",
        case: "skill",
        status: 4,
        name: "",
        meta: new Uint8Array(),
      },
      {
        source: "skills/good",
        case: "skill",
        status: 1,
        name: "good",
        description: "does good",
        meta: bytes(skillFile("good")),
      },
    ]);
    expect(Buffer.from(toBinary(PushContextStateRequestSchema, request)).includes(secret)).toBe(false);
    const told = JSON.stringify(context.snapshot(), (_key, value) =>
      typeof value === "bigint" ? `${value}` : value,
    );
    expect(told).not.toContain(secret);
  });

  it("is stored by a server, and changed there when it changes here", async () => {
    const place = await Workplace.make({ "work/AGENTS.md": "1" });
    const context = await place.opened();
    const plane = await testPlane();
    const connection = await dialled(plane.agent);
    const sender = new ContextSender(context);
    const end = new AbortController();
    const run = sender.run(connection.agent, end.signal).catch(() => {});
    const stored = async () => (await plane.store.context(plane.agent.id))?.resources ?? [];
    await plane.waitFor("the first push", async () => (await stored()).length === 1);
    await place.write({ "work/skills/a/SKILL.md": skillFile("a") });
    await plane.waitFor("the second push", async () => (await stored()).length === 2);
    expect(await stored()).toMatchObject([
      {
        source: place.at("work/AGENTS.md"),
        status: "ok",
        kind: "instruction_file",
        body: { content: "MQ==" },
      },
      { source: place.at("work/skills/a"), kind: "skill", body: { name: "a", description: "does a" } },
    ]);
    end.abort();
    await run;
  });

  it("is within what a server takes, at its largest", async () => {
    const files: Record<string, string> = {};
    const folder = `${"d".repeat(190)}/`.repeat(4);
    for (let i = 0; i < 1100; i++) {
      // a body of 4 KiB each, and texts that JSON makes longer
      const head = skillFile("n", '"'.repeat(2000).replace(/^/, "'").replace(/$/, "'"));
      files[`work/${folder}${i}/skills/${"s".repeat(100)}/SKILL.md`] = head.padEnd(4190, "x");
    }
    const place = await Workplace.make(files);
    const context = await place.opened();
    const { resources, snapshotError, payloadBytes } = context.snapshot();
    expect(resources.filter(({ status }) => status === "ok")).toHaveLength(500);
    expect(Number(payloadBytes)).toBeGreaterThan(2_000_000);
    expect(snapshotError).toContain("resources left out: there are too many of them");
    const plane = await testPlane();
    await pushed(context, await dialled(plane.agent));
    const stored = await plane.store.context(plane.agent.id);
    expect(stored?.resources).toHaveLength(resources.length);
  });
});
