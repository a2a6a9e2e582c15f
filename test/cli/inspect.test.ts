import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { createAgent } from "../../src/agent/index.js";
import { controlPlane, dialled, eventually, token } from "../support/control-plane.js";
import { tool, toolResult } from "../support/terminal.js";

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "agentwire-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** The tool before a control plane. */
async function inspecting(args: readonly string[] = []) {
  const plane = await controlPlane({ environment: { EDITOR: "vi-very-own" } });
  const run = tool(["inspect", "--listen", "127.0.0.1:0", "--target", plane.url, ...args]);
  const listening = /http:\/\/127\.0\.0\.1:\d+/;
  await eventually(() => listening.test(run.stderr() + run.stdout()), "it listens");
  const [url = ""] = listening.exec(run.stderr() + run.stdout()) ?? [];
  return { plane, run, url };
}

/** A session with a call that works and one that does not, to its end. */
async function callTwice(url: string): Promise<void> {
  const connection = await dialled({ url }, { role: "tester" });
  await connection.agent.getManifest(
    {},
    { headers: { "x-request-id": "r1", "x-auth-token": "very-secret" } },
  );
  await expect(connection.agent.updateAppStatus({ slug: "none" })).rejects.toThrow();
  await connection.close();
}

/** Without times. */
function timeless(text: string): string[] {
  return text
    .replace(/^\d\d:\d\d:\d\d\.\d{3} /gm, "")
    .replace(/\d+\.\d (ms|s)\b/g, "T")
    .trimEnd()
    .split("\n");
}

describe("agentwire inspect", () => {
  it("shows each RPC with its messages as JSON, and how it ended, without secrets", async () => {
    const { run, url, plane } = await inspecting();
    expect(run.stderr()).toBe(`Dial ${url} in place of ${plane.url}.\n`);
    await callTwice(url);
    await eventually(() => run.stdout().includes(" end "), "the end");
    run.interrupt();
    expect(await run.exitCode).toBe(0);
    const lines = timeless(run.stdout());
    expect(lines[0]).toContain("#1   open   /api/v2/workspaceagents/me/rpc?role=tester&version=2.10  ");
    expect(lines[0]).toContain("coder-session-token: [hidden]");
    expect(lines[1]).toBe(
      '#1   rpc    Agent/GetManifest stream 1 begins with {"x-auth-token":"[hidden]","x-request-id":"r1"}',
    );
    expect(lines[2]).toBe("#1 → rpc    Agent/GetManifest stream 1, 0 B {}");
    expect(lines[3]).toMatch(/^#1 ← rpc {4}Agent\/GetManifest stream 1, \d+ B \{.*"EDITOR":"\[hidden\]"/);
    expect(lines[4]).toMatch(/^#1 {3}rpc {4}Agent\/GetManifest stream 1 ends ok \(T, 1 → 0 B, 1 ← \d+ B\)$/);
    expect(lines[5]).toBe("#1   rpc    Agent/UpdateAppStatus stream 3 begins");
    expect(lines[7]).toMatch(/^#1 {3}rpc {4}Agent\/UpdateAppStatus stream 3 ends unknown: .*No app found/);
    expect(lines[8]).toBe("#1 → end    1000, after T");
    expect(lines).toHaveLength(9);
    for (const secret of [token, "very-secret", "vi-very-own"]) expect(run.stdout()).not.toContain(secret);
  });

  it("shows the layers that are asked for", async () => {
    const { run, url } = await inspecting(["--layers", "ws,yamux,drpc"]);
    await callTwice(url);
    await eventually(() => run.stdout().includes(" end "), "the end");
    const lines = timeless(run.stdout());

    expect(lines).toContain("#1 → drpc   CloseSend 1.4 stream 1, 0 B (Agent/GetManifest)");
    expect(lines).toContainEqual(expect.stringMatching(/^#1 → ws {5}binary, \d+ B$/));
    expect(lines).toContainEqual(
      expect.stringMatching(/^#1 → yamux {2}data SYN stream 1, \d+ B, window \d+$/),
    );
    expect(lines).toContainEqual(expect.stringMatching(/^#1 → ws {5}close 1000, \d+ B$/));
    expect(lines.filter((line) => / rpc {4}/.test(line))).toEqual([]);
  });

  it.each([
    [
      ["--rpc", "appstatus"],
      ["Agent/UpdateAppStatus stream 3 begins", "stream 3, 6 B", "stream 3 ends unknown"],
    ],
    [
      ["--stream", "3"],
      ["Agent/UpdateAppStatus stream 3 begins", "stream 3, 6 B", "stream 3 ends unknown"],
    ],
    [["--errors"], ["stream 3 ends unknown"]],
  ])("shows only what %j says", async (args, expected) => {
    const { run, url } = await inspecting(args);
    await callTwice(url);
    await eventually(() => run.stdout().includes("ends unknown"), "the failure");
    const lines = timeless(run.stdout());
    expect(lines).toHaveLength(expected.length);
    for (const [index, text] of expected.entries()) expect(lines[index]).toContain(text);
  });

  it("prints events as JSON, and where it listens first", async () => {
    const { run, url, plane } = await inspecting(["--json"]);
    await callTwice(url);
    await eventually(() => run.stdout().includes('"type":"end"'), "the end");
    const [listening, ...events] = run
      .stdout()
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(listening).toEqual({ type: "listening", url, target: plane.url });
    expect(events.map(({ type }) => type)).toEqual([
      "open",
      ...["rpc-begin", "rpc-message", "rpc-message", "rpc-end"],
      ...["rpc-begin", "rpc-message", "rpc-end"],
      "end",
    ]);
  });

  it("has no colours in a pipe", async () => {
    const { run, url } = await inspecting();
    await callTwice(url);
    await eventually(() => run.stdout().includes(" end "), "the end");
    expect(run.stdout()).not.toContain("\u001b[");
  });

  it("carries a whole agent", async () => {
    const { run, url, plane } = await inspecting();
    const agent = createAgent({
      dial: { url, token },
      parts: {
        scripts: { logDirectory: await folder() },
        socket: false,
        context: false,
        boundaryLogs: false,
      },
    });
    onTestFinished(() => agent.stop().then(() => {}));
    const id = plane.agents[0]?.id ?? "";
    await eventually(async () => (await plane.store.agent(id))?.lifecycleState === "ready", "ready", 15_000);
    await agent.stop();
    expect((await plane.store.agent(id))?.lifecycleState).toBe("off");
    await eventually(() => run.stdout().includes(" end "), "the end");
    expect(run.stdout()).toContain("Agent/UpdateLifecycle");
    expect(run.stdout()).not.toContain("broken");
    expect(run.stdout()).not.toContain(token);
  });
});

describe("a recording", () => {
  /** A recording of all layers, and what was shown while it was made. */
  async function recording(args: readonly string[] = []) {
    const file = join(await folder(), "agent.jsonl");
    const { run, url } = await inspecting(["--record", file, ...args]);
    await callTwice(url);
    await eventually(async () => (await readFile(file, "utf8")).includes('"type":"end"'), "the end");
    run.interrupt();
    expect(await run.exitCode).toBe(0);
    return { file, shown: run.stdout() };
  }

  it.each([
    [[]],
    [["--layers", "ws,yamux,drpc,rpc"]],
    [["--layers", "drpc", "--rpc", "manifest"]],
    [["--json"]],
  ])("read back with %j shows the same", async (args) => {
    const { file, shown } = await recording(args);
    expect(await toolResult(["inspect", file, ...args])).toEqual({ exitCode: 0, stdout: shown, stderr: "" });
    const { stdout } = await toolResult(["inspect", "-", ...args], {}, await readFile(file, "utf8"));
    expect(stdout).toBe(shown);
  });

  it("has all layers, whatever is shown, no secrets, and is for its user only", async () => {
    const { file } = await recording();
    const text = await readFile(file, "utf8");
    const lines = text.trimEnd().split("\n");
    const types = new Set(lines.map((line) => (JSON.parse(line) as { type: string }).type));
    expect([...types].sort()).toEqual(
      [
        "end",
        "frame",
        "open",
        "packet",
        "recording",
        "rpc-begin",
        "rpc-end",
        "rpc-message",
        "websocket",
      ].sort(),
    );
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ type: "recording", format: 1 });
    for (const secret of [token, "very-secret", "vi-very-own"]) expect(text).not.toContain(secret);
    if (process.platform !== "win32") expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it.each([
    ["is none", "{}\n", "this is no recording of agentwire inspect"],
    ["is empty", "", "this is no recording of agentwire inspect"],
    [
      "is of a later format",
      '{"type":"recording","format":2}\n',
      "the recording has format 2; this version reads 1",
    ],
    ["was cut", '{"type":"recording","format":1}\n{"type":"op', "a line is no event"],
  ])("that %s is refused with a sentence", async (_what, text, expected) => {
    const file = join(await folder(), "agent.jsonl");
    await writeFile(file, text);
    const { exitCode, stderr } = await toolResult(["inspect", file]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(expected);
  });

  it("that is not there is refused with a sentence", async () => {
    const { exitCode, stderr } = await toolResult(["inspect", "/nowhere/agent.jsonl"]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("/nowhere/agent.jsonl: ENOENT");
  });

  it("may have events that this version does not know", async () => {
    const file = join(await folder(), "agent.jsonl");
    await writeFile(file, '{"type":"recording","format":1}\n{"type":"later","time":1}\n');
    expect(await toolResult(["inspect", file])).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  });
});

describe("agentwire inspect, called wrongly", () => {
  it.each([
    [[], "give --target URL, or a recording"],
    [["--target", "nonsense"], "--target must be a URL"],
    [["--target", "ftp://x"], "--target must be a URL"],
    [["--target", "http://x", "--layers", "tcp"], '"tcp" is none; there are ws, yamux, drpc, rpc'],
    [["--target", "http://x", "--stream", "one"], "--stream one: must be the number of a stream"],
    [["--target", "http://x", "--listen", "x"], "--listen x: must be HOST:PORT"],
    [["a.jsonl", "--target", "http://x"], "--target is for a proxy"],
    [["a.jsonl", "b.jsonl"], "give one recording at most"],
    [
      ["--target", "http://x", "--listen", "127.0.0.1:0", "--record", "/nowhere/x"],
      "--record /nowhere/x: ENOENT",
    ],
  ])("%j says what is wrong", async (args, expected) => {
    const { exitCode, stderr } = await toolResult(["inspect", ...args]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(expected);
  });
});
