import { once } from "node:events";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type AgentEvent, type AgentOptions, createAgent } from "../../src/agent/index.js";
import type { LifecycleState, TestPlane, TestPlaneOptions } from "../../src/testing/index.js";
import { eventually, token } from "../support/control-plane.js";
import { testPlane } from "../support/test-plane.js";

interface Setup extends TestPlaneOptions {
  options?: Partial<AgentOptions>;
}

/** Where nobody listens. */
const nobody = { url: "http://127.0.0.1:9", token };

async function running({ options = {}, ...planeOptions }: Setup) {
  const plane = await testPlane(planeOptions);
  return { plane, ...start(plane.agent.target, options), ...reading(plane) };
}

function start(target: { url: string; token: string }, options: Partial<AgentOptions> = {}) {
  const events: AgentEvent[] = [];
  const agent = createAgent({
    dial: target,
    onEvent: (event) => events.push(event),
    ...options,
    // agents of several tests would have the same sockets
    parts: { socket: false, boundaryLogs: false, context: false, ...options.parts },
  });
  onTestFinished(() => agent.stop().then(() => {}));
  return {
    agent,
    events,
    states: () => events.flatMap((event) => (event.kind === "lifecycle" ? [event.state] : [])),
  };
}

function reading({ agent: main, store }: TestPlane) {
  return {
    main,
    record: () => store.agent(main.id),
    logs: async () =>
      (await store.logs(main.id, 0, 100_000)).map(({ level, output }) => `${level} ${output}`),
    timings: () => store.scriptTimings(main.id),
    becomes: (state: LifecycleState) => main.expectLifecycle(state, { timeoutMs: 10_000 }),
  };
}

const script = (text: string, more: object = {}) => ({
  displayName: "Start",
  script: text,
  runOnStart: true,
  ...more,
});

describe("the start of an agent", () => {
  it("that is told to stop while it takes its manifest begins nothing any more", async () => {
    const begun: string[] = [];
    const part = (name: string, onManifest: () => void) => () => ({
      name,
      onManifest,
      begin: async () => {
        begun.push(name);
        return undefined;
      },
    });
    const { agent, events, states, record } = await running({
      agent: { scripts: [script("true")] },
      options: {
        more: [part("stopper", () => void agent.stop()), part("late", () => begun.push("late manifest"))],
      },
    });
    await agent.ended;
    expect(begun).toEqual([]);
    expect(states()).toEqual(["shutting_down", "off"]);
    expect(events.filter(({ kind }) => kind === "warning" || kind === "script-ended")).toEqual([]);
    expect((await record())?.lifecycleState).toBe("off");
  });

  it("reports its version and directory, and each state in order (C4.28, C4.31, C4.34)", async () => {
    const { main, becomes, record, states, events } = await running({
      agent: { directory: tmpdir(), scripts: [script("true")] },
      options: { buildVersion: "v1.2.3" },
    });
    await becomes("ready");
    expect(await record()).toMatchObject({ version: "v1.2.3", expandedDirectory: tmpdir() });
    expect(states()).toEqual(["starting", "ready"]);
    expect(main.lifecycles()).toEqual(["starting", "ready"]);
    expect(events[0]).toEqual({ kind: "connected", version: "2.10" });
  });

  it("runs start scripts in the directory, with the environment of C4.84, and sends their output as logs", async () => {
    const { becomes, logs, main } = await running({
      agent: {
        directory: tmpdir(),
        environment: { GREETING: "hello $CODER_WORKSPACE_OWNER_NAME" },
        scripts: [
          script(
            [
              'echo "$GREETING in $(pwd -P)"',
              'echo "$CODER $CODER_WORKSPACE_NAME $CODER_WORKSPACE_AGENT_NAME"',
              'echo "$CODER_AGENT_TOKEN $CODER_AGENT_URL"',
              "echo oops >&2",
              'printf "no newline"',
            ].join("\n"),
          ),
        ],
      },
    });
    await becomes("ready");
    await eventually(async () => (await logs()).length === 5, "all lines");
    expect((await logs()).sort()).toEqual(
      [
        `info hello ada in ${await import("node:fs/promises").then((fs) => fs.realpath(tmpdir()))}`,
        "info true dev main",
        `info ${main.token} ${main.url}`,
        "error oops",
        "info no newline",
      ].sort(),
    );
  });

  it("keeps the order of a script's lines, of which there are many", async () => {
    const { becomes, logs } = await running({ agent: { scripts: [script("seq 1 20000")] } });
    await becomes("ready");
    await eventually(async () => (await logs()).length === 20_000, "all lines");
    expect(await logs()).toEqual(Array.from({ length: 20_000 }, (_, i) => `info ${i + 1}`));
  });

  it("reports how each script ended (C4.68)", async () => {
    const { becomes, timings, events } = await running({
      agent: {
        scripts: [
          script("exit 0", { displayName: "good" }),
          script("exit 7", { displayName: "bad" }),
          script("sleep 60", { displayName: "slow", timeoutSeconds: 1 }),
          script("exit 1", { displayName: "never", runOnStart: false }),
        ],
      },
    });
    await becomes("start_timeout");
    await eventually(async () => (await timings()).length === 3, "three timings");
    const ends = (await timings()).map(({ status, exitCode, stage }) => ({
      status,
      exitCode,
      stage,
    }));
    expect(ends).toEqual(
      expect.arrayContaining([
        { status: "ok", exitCode: 0, stage: "start" },
        { status: "exit_failure", exitCode: 7, stage: "start" },
        { status: "timed_out", exitCode: 255, stage: "start" },
      ]),
    );
    expect(events).toContainEqual(
      expect.objectContaining({ kind: "script-ended", script: '"bad"', exitCode: 7 }),
    );
  });

  it("is a start error when a script fails", async () => {
    const { becomes, states } = await running({
      agent: { scripts: [script("exit 1"), script("true", { displayName: "Other" })] },
    });
    await becomes("start_error");
    expect(states()).toEqual(["starting", "start_error"]);
  });

  it("gives scripts programs on their PATH, and takes them away at the end", async () => {
    const { becomes, logs, agent } = await running({
      agent: { scripts: [script('greet "two words"; echo "$CODER_SCRIPT_BIN_DIR"')] },
      options: { commands: { greet: ["/bin/echo", "it's", "$HOME"] } },
    });
    await becomes("ready");
    await eventually(async () => (await logs()).length === 2, "both lines");
    const [greeting, folder = ""] = (await logs()).map((line) => line.replace("info ", ""));
    expect(greeting).toBe("it's $HOME two words");
    expect((await stat(folder)).isDirectory()).toBe(true);
    await agent.stop();
    await expect(stat(folder)).rejects.toThrow("ENOENT");
  });
});

describe("what an agent keeps reporting", () => {
  it("is metadata, each key with its own errors (C4.37–C4.42)", async () => {
    const { plane, main } = await running({
      agent: {
        metadata: [
          { key: "good", script: "echo 1; echo 2 >&2", intervalSeconds: 1, timeoutSeconds: 1 },
          { key: "bad", script: "echo partly; exit 3", intervalSeconds: 1, timeoutSeconds: 1 },
          { key: "slow", script: "sleep 30", intervalSeconds: 10, timeoutSeconds: 1 },
          { key: "long", script: "head -c 20000 /dev/zero | tr '\\0' x", intervalSeconds: 10 },
        ],
      },
    });
    const collected = async () =>
      Object.values(await main.metadata()).every(({ value, error }) => value || error);
    await plane.waitFor("all keys", collected, { timeoutMs: 10_000 });
    const { good, ...others } = await main.metadata();
    expect(good?.value.split("\n").sort()).toEqual(["1", "2"]);
    expect(others).toMatchObject({
      bad: { value: "partly", error: "run cmd: exit status 3" },
      slow: { error: "run cmd: no end within 1 s" },
      // the server puts its own limit in the place of the agent's
      long: { value: "x".repeat(2048), error: "value of 10240 bytes exceeded 2048 bytes" },
    });
  });

  it("is the health of apps, as it changes (C4.44–C4.47)", async () => {
    let status = 200;
    const server = createServer((_request, response) => response.writeHead(status).end()).listen(
      0,
      "127.0.0.1",
    );
    onTestFinished(() => void server.close());
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const { plane, main } = await running({
      agent: {
        apps: [{ slug: "web", healthcheck: { url, intervalSeconds: 1, threshold: 1 } }, { slug: "plain" }],
      },
    });
    const health = async () =>
      Object.fromEntries((await plane.store.apps(main.id)).map((app) => [app.slug, app.health]));
    expect(await health()).toEqual({ web: "initializing", plain: "disabled" });
    await eventually(async () => (await health())["web"] === "healthy", "healthy", 10_000);
    status = 500;
    await eventually(async () => (await health())["web"] === "unhealthy", "unhealthy", 10_000);
    expect((await health())["plain"]).toBe("disabled");
  });

  it("is stats, as often as the server asks for (C4.49)", async () => {
    const { plane, main } = await running({ statsIntervalMs: 50 });
    await plane.waitFor("three reports", async () => (await main.stats()).length >= 3);
  });
});

describe("secrets of a manifest", () => {
  it("become variables and files of mode 0600 (C4.30)", async () => {
    const folder = await mkdtemp(join(tmpdir(), "agentwire-secrets-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const { writeSecretFiles } = await import("../../src/agent/workspace/secret-files.js");
    const path = join(folder, "deep", "key");
    const secret = { envName: "", filePath: path, value: Buffer.from("s3cret") } as never;
    expect(await writeSecretFiles({ secrets: [secret] })).toEqual([]);
    expect(await readFile(path, "utf8")).toBe("s3cret");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, "deep"))).mode & 0o777).toBe(0o700);
    const bad = { envName: "", filePath: join(path, "below"), value: Buffer.from("s3cret") } as never;
    const [fault] = await writeSecretFiles({ secrets: [bad] });
    expect(fault).toContain("EEXIST");
    expect(fault).not.toContain("s3cret");
  });
});

describe("the end of an agent", () => {
  it("is shutting_down, stop scripts with their logs, off (C4.86, C4.88)", async () => {
    const { main, becomes, agent, states, logs, timings } = await running({
      agent: { scripts: [{ displayName: "Stop", script: "echo bye", runOnStop: true }] },
    });
    await becomes("ready");
    await agent.stop();
    expect(states()).toEqual(["starting", "ready", "shutting_down", "off"]);
    expect(main.lifecycles()).toEqual(states());
    expect(await logs()).toEqual(["info bye"]);
    expect(await timings()).toMatchObject([{ stage: "stop", status: "ok" }]);
    await main.expectStatus("disconnected");
  });

  it("ends start scripts that still run, with what they have started", async () => {
    const { agent, events, logs, states } = await running({
      agent: { scripts: [script('sh -c "echo $$; sleep 300" & echo begun; wait')] },
    });
    await eventually(async () => (await logs()).length === 2, "the script's beginning");
    await agent.stop();
    expect(states()).toEqual(["starting", "shutting_down", "off"]);
    expect(events).toContainEqual(expect.objectContaining({ kind: "script-ended", status: "exit_failure" }));
    const pid = Number(
      (await logs()).map((line) => line.replace("info ", "")).find((line) => /^\d+$/.test(line)),
    );
    await eventually(() => !isAlive(pid), "the end of the script's own process");
  });

  it("is a shutdown error when a stop script fails", async () => {
    const { becomes, agent, record } = await running({
      agent: { scripts: [{ displayName: "Stop", script: "exit 1", runOnStop: true }] },
    });
    await becomes("ready");
    await agent.stop();
    expect((await record())?.lifecycleState).toBe("shutdown_error");
  });

  it("comes at once where there is no server, and twice is once", async () => {
    const { agent } = start(nobody);
    await Promise.all([agent.stop(), agent.stop()]);
    await agent.ended;
  }, 10_000);
});

describe("an agent and its connection", () => {
  it("goes on after a lost connection, runs start scripts once, and loses no log line", async () => {
    const { plane, main, events, becomes, logs, states } = await running({
      agent: { scripts: [script("for i in $(seq 1 40); do echo $i; sleep 0.02; done")] },
    });
    await main.expectLogs("4");
    plane.cut();
    await plane.waitFor("the second dial", () => plane.dials().length === 2);
    await becomes("ready");
    await plane.waitFor("all lines", async () => new Set(await logs()).size === 40);
    expect(events).toContainEqual(expect.objectContaining({ kind: "disconnected" }));
    expect(states()).toEqual(["starting", "ready"]);
    // lines without an answer are sent again, so one batch may be there twice; nothing else is out of order
    const numbers = (await logs()).map((line) => Number(line.replace("info ", "")));
    expect(new Set(numbers)).toEqual(new Set(Array.from({ length: 40 }, (_, i) => i + 1)));
    expect(events.filter(({ kind }) => kind === "connected")).toHaveLength(2);
    expect(await plane.sessionCount()).toBe(1);
  });

  it("ends with the refusal of a server that will never take it", async () => {
    const plane = await testPlane();
    const { agent, events } = start({ url: plane.url, token: "nonsense" });
    expect(await agent.ended).toMatchObject({ error: { status: 401 }, unsent: [] });
    expect(events).toEqual([]);
  });

  it("tries again while the server is away, with a pause", async () => {
    const { agent, events } = start(nobody);
    await eventually(() => events.length >= 2, "two attempts");
    for (const event of events) {
      // a sentence, without a code before it
      expect(event).toMatchObject({
        kind: "disconnected",
        reason: expect.stringMatching(/^[^[].*ECONNREFUSED/),
      });
      if (event.kind === "disconnected") expect(event.retryInMs).toBeLessThanOrEqual(10_000);
    }
    await agent.stop();
  }, 15_000);

  it("works against an older server, without what that does not have", async () => {
    const { becomes, logs, agent, events } = await running({
      agent: { scripts: [script("echo hi")] },
      serverVersion: { major: 2, minor: 0 },
      strictVersions: true,
    });
    await becomes("ready");
    await eventually(async () => (await logs()).length === 1, "the line");
    expect(events[0]).toEqual({ kind: "connected", version: "2.0" });
    await agent.stop();
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
