import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { idOfName } from "../../src/cli/commands/logs.js";
import { externalLogSourceId } from "../../src/client/index-node.js";
import { tool, toolResult } from "../support/terminal.js";
import { testPlane } from "../support/test-plane.js";

async function server() {
  const plane = await testPlane();
  const { agent } = plane;
  return {
    plane,
    agent,
    env: { CODER_AGENT_URL: agent.url, CODER_AGENT_TOKEN: agent.token },
    /** Its lines with all that is known of them. */
    storedLogs: () => plane.store.logs(agent.id, 0, 100),
  };
}

async function fileWith(text: string | Buffer): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "agentwire-logs-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "some.log");
  await writeFile(file, text);
  return file;
}

describe("agentwire logs", () => {
  it("sends standard input, line by line, to the source for logs from outside", async () => {
    const { storedLogs, env } = await server();
    expect(await toolResult(["logs"], env, "one\r\n\ntwo")).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    expect(await storedLogs()).toMatchObject([
      { output: "one", level: "info", logSourceId: externalLogSourceId },
      { output: "" },
      { output: "two" },
    ]);
  });

  it("says at the end with --json how many lines were read and sent", async () => {
    const { env } = await server();
    const { exitCode, stdout, stderr } = await toolResult(["logs", "--json"], env, "one\ntwo\nthree");
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(JSON.parse(stdout)).toEqual({ read: 3, sent: 3, pending: 0, dropped: {} });
  });

  it("sends lines as they come, not only at the end", async () => {
    const { agent, env } = await server();
    const run = tool(["logs", "-"], env);
    run.stdin.write("first\nsec");
    await agent.expectLogs("first");
    run.stdin.end("ond\n");
    expect(await run.exitCode).toBe(0);
    expect(await agent.logs()).toEqual(["first", "second"]);
  });

  it("sends files one after the other, under the name and level that it is given", async () => {
    const { plane, agent, storedLogs, env } = await server();
    const files = [await fileWith("a\nb\n"), await fileWith("c")];
    const args = ["logs", ...files, "--source", "make", "--level", "warn"];
    expect((await toolResult(args, env)).exitCode).toBe(0);
    const id = idOfName("make");
    expect(await plane.store.logSources(agent.id)).toMatchObject([{ id, displayName: "make" }]);
    expect(await storedLogs()).toMatchObject(
      ["a", "b", "c"].map((output) => ({ output, level: "warn", logSourceId: id })),
    );
  });

  it("gives the same name the same source, by RFC 9562 version 5", () => {
    expect(idOfName("make")).toBe(idOfName("make"));
    expect(idOfName("make")).not.toBe(idOfName("build"));
    expect(idOfName("make")).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it("sends a file that is much larger than what may wait", async () => {
    const { agent, env } = await server();
    const lines = Array.from({ length: 4000 }, (_, i) => `${i} ${"x".repeat(200)}`);
    const { exitCode } = await toolResult(["logs", await fileWith(lines.join("\n"))], env);
    expect(exitCode).toBe(0);
    expect(await agent.logs()).toEqual(lines);
  });

  it("ends with 1, and says how many lines were lost, when the server takes no more (S3.81)", async () => {
    const { plane, agent, env } = await server();
    const lines = Array.from({ length: 3000 }, (_, i) => `${i} ${"x".repeat(1000)}`);
    const { exitCode, stderr } = await toolResult(["logs", await fileWith(lines.join("\n"))], env);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^the server takes no more logs of this agent; \d+ lines were not sent\n$/);
    expect((await plane.store.agent(agent.id))?.logsOverflowed).toBe(true);
  });

  it("goes on over the next connection when one is lost, and says so", async () => {
    const { plane, agent, env } = await server();
    const run = tool(["logs"], env);
    run.stdin.write("one\n");
    await agent.expectLogs("one");
    plane.refuse(503);
    plane.cut();
    await plane.waitFor("the loss is told", () => run.stderr().includes("lines wait"));
    run.stdin.write("two\n");
    plane.heal();
    run.stdin.end("three");
    expect(await run.exitCode).toBe(0);
    // a line whose answer was lost comes twice
    expect([...new Set(await agent.logs())]).toEqual(["one", "two", "three"]);
    expect(run.stderr()).toMatch(/^[^\n]*: lines wait until there is a connection again\nconnected again\n$/);
  });

  it("fails with 1 at once when there is no server", async () => {
    const { plane, env } = await server();
    await plane.close();
    const { exitCode, stderr } = await toolResult(["logs"], env, "one");
    expect(exitCode).toBe(1);
    expect(JSON.parse(stderr)).toMatchObject({ code: "unavailable", layer: "dial" });
  });

  it("ends with 130 while it waits for a server that has gone away", async () => {
    const { plane, agent, env } = await server();
    const run = tool(["logs"], env);
    run.stdin.write("one\n");
    await agent.expectLogs("one");
    await plane.close();
    await plane.waitFor("the loss is told", () => run.stderr().includes("lines wait"));
    run.interrupt();
    expect(await run.exitCode).toBe(130);
  });

  it("fails with 1 for a file that is not there, and for a token that is wrong", async () => {
    const { env } = await server();
    const missing = await toolResult(["logs", "/does/not/exist"], env);
    expect(missing.exitCode).toBe(1);
    expect(missing.stderr).toContain("ENOENT");
    const refused = await toolResult(["logs", "--source", "x", "--token", crypto.randomUUID()], env, "x");
    expect(refused.exitCode).toBe(1);
    expect(JSON.parse(refused.stderr)).toMatchObject({ code: "unauthenticated", layer: "http", status: 401 });
  });

  it("refuses a level that is none with 2", async () => {
    const { env } = await server();
    expect(await toolResult(["logs", "--level", "loud"], env)).toMatchObject({ exitCode: 2 });
  });
});
