import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { startTool } from "../support/built-tool.js";
import { eventually, token } from "../support/control-plane.js";

const waitMs = 30_000;

/** Runs the tool; the context of an agent without a directory is that of its home. */
function start(directory: string, ...args: string[]) {
  const run = startTool(args, { HOME: directory });
  return {
    ...run,
    says: (text: string) => eventually(() => run.output.stderr.includes(text), `"${text}"`, waitMs),
  };
}

/** A start script of the workspaces file. */
const startScript = (name: string, ...lines: string[]) => ({
  name,
  run_on_start: true,
  timeout: 60,
  script: lines.join("\n"),
});

/** A control plane as a process, with one agent that has these scripts, and a short folder for sockets. */
async function workspace(...scripts: object[]) {
  const directory = await mkdtemp(join(tmpdir(), "aw-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const agent = { name: "main", token, directory, apps: [{ slug: "assistant" }], scripts };
  const file = join(directory, "workspaces.yaml");
  // JSON is YAML
  await writeFile(file, JSON.stringify({ workspaces: [{ owner: "ada", name: "dev", agents: [agent] }] }));
  const socket = join(directory, "a.sock");
  const serve = async (listen: string) => {
    const server = start(
      directory,
      "serve",
      "--listen",
      listen,
      "--workspaces",
      file,
      "--database",
      directory,
    );
    await eventually(() => server.output.stdout.endsWith("\n"), "the line that it is ready", waitMs);
    return { ...server, url: (JSON.parse(server.output.stdout) as { url: string }).url };
  };
  const server = await serve("127.0.0.1:0");
  return {
    server,
    serveAgain: () => serve(new URL(server.url).host),
    startAgent: (agentToken = token, ...more: string[]) =>
      start(
        directory,
        ...["agent", "--url", server.url, "--token", agentToken],
        ...["--socket-path", socket, "--boundary-socket-path", join(directory, "b.sock")],
        ...more,
      ),
    /** A command beside the agent, to its end. */
    beside: async (...args: string[]) => {
      const { output, exit } = start(directory, ...args, "--socket-path", socket);
      const { code } = await exit;
      return { code, ...output };
    },
  };
}

it("two start scripts wait for each other, and a third says what an app does, through the agent's socket", async () => {
  const { server, startAgent, beside } = await workspace(
    startScript(
      "App",
      "agentwire sync want app database",
      "agentwire sync start app | tee app.out && echo 'the app runs'",
      "agentwire sync complete app",
    ),
    startScript(
      "Database",
      // not before the other script waits
      "until grep -q 'is waiting' app.out; do sleep 0.1; done 2>/dev/null",
      "agentwire sync start database",
      "echo 'the database runs'",
      "agentwire sync complete database",
    ),
    startScript("Status", "agentwire status --slug assistant --state working --message 'looking around'"),
  );
  const agent = startAgent();
  await agent.says("agent: ready\n");
  await server.says("lifecycle   ready");
  const lines = server.output.stderr.split("\n");
  const at = (text: string) => lines.findIndex((line) => line.includes(text));
  expect(at("app status  assistant is working: looking around")).toBeGreaterThan(-1);
  expect(at("[Database] the database runs")).toBeGreaterThan(-1);
  expect(at("[App] the app runs")).toBeGreaterThan(-1);
  expect(at('[App] Unit "app" finished waiting for dependencies: [database]')).toBeGreaterThan(-1);
  // no second connection for what goes through the agent
  expect(lines.filter((line) => line.includes(" connected "))).toHaveLength(1);

  expect(await beside("sync", "list")).toEqual({
    code: 0,
    stdout: "UNIT      STATUS     READY\napp       completed  true\ndatabase  completed  true\n",
    stderr: "",
  });
  expect(await beside("context", "list")).toEqual({
    code: 0,
    stdout: "No context sources registered.\n",
    stderr: "",
  });

  agent.child.kill("SIGTERM");
  expect(await agent.exit).toEqual({ code: 0, signal: null });
  await server.says("lifecycle   off");
  await server.says("left        role agent");
  expect(agent.output.stdout).toBe("");
  const ended = agent.output.stderr.split("\n").filter((line) => !line.includes("start script"));
  expect(ended).toEqual([
    "agent: connected, API 2.10",
    "agent: starting",
    "agent: ready",
    "agent: shutting_down",
    "agent: off",
    "",
  ]);
}, 120_000);

it("says with --json what happens on standard output, one line each", async () => {
  const { startAgent } = await workspace(startScript("Hello", "echo hello"));
  const agent = startAgent(token, "--json");
  await eventually(() => agent.output.stdout.includes('"ready"'), "the agent", waitMs);
  agent.child.kill("SIGTERM");
  expect((await agent.exit).code).toBe(0);
  const events = agent.output.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(events[0]).toEqual({ kind: "connected", version: "2.10" });
  expect(events).toContainEqual(expect.objectContaining({ kind: "script-ended", script: '"Hello"' }));
  expect(agent.output.stderr).toBe("");
}, 60_000);

it("with a wrong token ends with 1, and one line that says so", async () => {
  const { startAgent } = await workspace();
  const { exit, output } = startAgent(token.replace("6", "7"));
  expect((await exit).code).toBe(1);
  expect(output.stdout).toBe("");
  expect(output.stderr.trimEnd().split("\n")).toHaveLength(1);
  expect(JSON.parse(output.stderr)).toMatchObject({ code: "unauthenticated", status: 401, layer: "dial" });
}, 60_000);

it("goes on when the server is killed and comes back: scripts run once, and no line is lost", async () => {
  const { server, serveAgain, startAgent, beside } = await workspace(
    startScript(
      "Long",
      "echo first",
      "until agentwire sync status go | grep -q completed; do sleep 0.1; done",
      "echo last",
    ),
  );
  const agent = startAgent();
  await server.says("[Long] first");
  server.child.kill("SIGKILL");
  await agent.says("next attempt in");
  expect((await beside("sync", "start", "go")).code).toBe(0);
  expect((await beside("sync", "complete", "go")).code).toBe(0);
  await agent.says("agent: ready\n");
  const next = await serveAgain();
  await next.says("[Long] last");
  await next.says("lifecycle   ready");
  expect(agent.output.stderr.split("\n").filter((line) => line.includes("start script"))).toHaveLength(1);
  agent.child.kill("SIGINT");
  expect((await agent.exit).code).toBe(0);
  await next.says("lifecycle   off");
  next.child.kill("SIGTERM");
  expect((await next.exit).code).toBe(0);
}, 120_000);

it("that never finds a server ends at once when it is told to", async () => {
  const { server, startAgent } = await workspace();
  server.child.kill("SIGKILL");
  await server.exit;
  const agent = startAgent();
  await agent.says("ECONNREFUSED");
  agent.child.kill("SIGINT");
  expect((await agent.exit).code).toBe(0);
  expect(agent.output.stderr).not.toContain("not sent");
}, 60_000);

it("leaves the socket to the agent that has it, says so, and serves its workspace", async () => {
  const { startAgent, beside } = await workspace();
  const first = startAgent();
  await first.says("agent: ready\n");
  const second = startAgent();
  await second.says("is not available: another program serves it");
  await second.says("agent: ready\n");
  second.child.kill("SIGTERM");
  expect((await second.exit).code).toBe(0);
  expect(await beside("sync", "ping")).toEqual({ code: 0, stdout: "Success\n", stderr: "" });
}, 60_000);
