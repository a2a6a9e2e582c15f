import { describe, expect, it } from "vitest";
import { startTool } from "../support/built-tool.js";
import { eventually } from "../support/control-plane.js";

describe("the first run", () => {
  it("with --once shows everything of an agent's start, and ends with 0", async () => {
    const { output, exit } = startTool(["demo", "--once"]);
    expect(await exit).toEqual({ code: 0, signal: null });
    const shown = output.stderr.split("\n").filter((line) => /^\d\d:\d\d:\d\d/.test(line));
    const rest = shown.map((line) => line.replace(/^.{8} {2}playground\/main {2}/, ""));
    for (const expected of [
      "connected   API 2.10, role agent",
      "lifecycle   starting",
      "log         [Prepare] Hello from your workspace, ada",
      "connected   API 2.10, role agentwire-call (beside the agent)",
      "app status  assistant is working: looking around",
      "log         [Prepare] lines on standard error are errors",
      "app status  assistant is idle: waiting for you",
      "log         [Prepare] done",
      "lifecycle   ready",
      "lifecycle   shutting_down",
      "log         [Goodbye] see you, ada",
      "lifecycle   off",
      "left        role agent",
    ]) {
      expect(rest).toContain(expected);
    }
    expect(rest).toContainEqual(expect.stringMatching(/^metadata {4}Load = \d/));
    expect(rest[0]).toBe("connected   API 2.10, role agent");
    expect(rest.at(-1)).toBe("left        role agent");
  }, 60_000);

  it.each(["SIGINT", "SIGTERM"] as const)(
    "ends both in order on %s, with 0",
    async (signal) => {
      const { child, output, exit } = startTool(["demo"]);
      await eventually(() => output.stderr.includes("ready"), "ready", 30_000);
      child.kill(signal);
      expect(await exit).toEqual({ code: 0, signal: null });
      expect(output.stderr).toContain("lifecycle   off");
      expect(output.stderr).toMatch(/left {8}role agent$/m);
    },
    60_000,
  );

  it("can be used from another terminal, and serves the scripts of its agent too", async () => {
    const { output } = startTool(["demo"]);
    await eventually(() => output.stderr.includes("Ctrl-C"), "the introduction", 30_000);
    const [, url = "", token = ""] =
      /CODER_AGENT_URL=(\S+) CODER_AGENT_TOKEN=(\S+)/.exec(output.stderr) ?? [];
    const call = startTool(["call", "Agent/GetManifest", "--url", url, "--token", token]);
    expect((await call.exit).code).toBe(0);
    expect(JSON.parse(call.output.stdout)).toMatchObject({ agentName: "main", ownerUsername: "ada" });
  }, 60_000);
});

describe("the built tool", () => {
  it("ends with 2 for a wrong call, and without waiting for standard input", async () => {
    const { output, exit } = startTool(["call"]);
    expect((await exit).code).toBe(2);
    expect(output.stderr).toContain("give SERVICE/METHOD");
  });

  it("serves until it is told to end", async () => {
    const { child, output, exit } = startTool(["serve", "--listen", "127.0.0.1:0", "--database", "memory"]);
    await eventually(() => output.stdout.endsWith("\n"), "the line that it is ready", 30_000);
    const { url, agents } = JSON.parse(output.stdout) as { url: string; agents: { token: string }[] };
    const agent = startTool(["agent", "--url", url, "--token", agents[0]?.token ?? ""]);
    await eventually(() => agent.output.stderr.includes("ready"), "ready", 30_000);
    agent.child.kill("SIGTERM");
    expect((await agent.exit).code).toBe(0);
    child.kill("SIGTERM");
    expect((await exit).code).toBe(0);
    expect(output.stderr).toContain("lifecycle   off");
  }, 60_000);
});
