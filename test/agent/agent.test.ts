import { once } from "node:events";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type AgentEvent, type AgentOptions, createAgent } from "../../src/agent/index.js";
import type { ControlPlane, ControlPlaneOptions } from "../../src/server/index.js";
import type { AgentDefinition } from "../../src/store/index.js";
import { controlPlane, eventually, token } from "../support/control-plane.js";
import { storedReports } from "../support/reports.js";

interface Setup {
  agent?: Partial<AgentDefinition>;
  plane?: ControlPlaneOptions;
  options?: Partial<AgentOptions>;
}

async function running({ agent = {}, plane: planeOptions = {}, options = {} }: Setup) {
  const plane = await controlPlane(agent, planeOptions);
  return { plane, ...start(plane.url, options), ...reading(plane) };
}

function start(url: string, options: Partial<AgentOptions> = {}) {
  const events: AgentEvent[] = [];
  const agent = createAgent({
    dial: { url, token },
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

function reading(plane: ControlPlane) {
  const { store, agents } = plane;
  const id = agents[0]?.id ?? "";
  return {
    id,
    record: () => store.agent(id),
    logs: async () => (await store.logs(id, 0, 100_000)).map(({ level, output }) => `${level} ${output}`),
    reports: () => storedReports(plane, id),
    becomes: (state: string) =>
      eventually(async () => (await store.agent(id))?.lifecycleState === state, `lifecycle ${state}`, 10_000),
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
    const history: string[] = [];
    const { plane, becomes, record, states, events, id } = await running({
      agent: { directory: tmpdir(), scripts: [script("true")] },
      options: { buildVersion: "v1.2.3" },
    });
    plane.events.onPublish(async (event) => {
      if (event.topic === "workspace" && event.kind === "agt_lifecycle_update") {
        history.push((await plane.store.agent(id))?.lifecycleState ?? "");
      }
    });
    await becomes("ready");
    expect(await record()).toMatchObject({ version: "v1.2.3", expandedDirectory: tmpdir() });
    expect(states()).toEqual(["starting", "ready"]);
    expect(history).toEqual(["starting", "ready"]);
    expect(events[0]).toEqual({ kind: "connected", version: "2.10" });
  });

  it("runs start scripts in the directory, with the environment of C4.84, and sends their output as logs", async () => {
    const { becomes, logs, plane } = await running({
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
        `info ${token} ${plane.url}`,
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
    const { becomes, reports, events } = await running({
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
    await eventually(async () => (await reports()).scriptTimings.length === 3, "three timings");
    const ends = (await reports()).scriptTimings.map(({ status, exitCode, stage }) => ({
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
    const { reports } = await running({
      agent: {
        metadata: [
          { key: "good", script: "echo 1; echo 2 >&2", intervalSeconds: 1, timeoutSeconds: 1 },
          { key: "bad", script: "echo partly; exit 3", intervalSeconds: 1, timeoutSeconds: 1 },
          { key: "slow", script: "sleep 30", intervalSeconds: 10, timeoutSeconds: 1 },
          { key: "long", script: "head -c 20000 /dev/zero | tr '\\0' x", intervalSeconds: 10 },
        ],
      },
    });
    const byKey = async () => new Map((await reports()).metadata.map((row) => [row.key, row]));
    await eventually(
      async () => [...(await byKey()).values()].every((row) => row.collectedAtUs),
      "all keys",
      10_000,
    );
    const rows = await byKey();
    expect(rows.get("good")?.value.split("\n").sort()).toEqual(["1", "2"]);
    expect(rows.get("bad")).toMatchObject({ value: "partly", error: "run cmd: exit status 3" });
    expect(rows.get("slow")).toMatchObject({ error: "run cmd: no end within 1 s" });
    // the server puts its own limit in the place of the agent's
    expect(rows.get("long")).toMatchObject({
      value: "x".repeat(2048),
      error: "value of 10240 bytes exceeded 2048 bytes",
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
    const { plane, id } = await running({
      agent: {
        apps: [{ slug: "web", healthcheck: { url, intervalSeconds: 1, threshold: 1 } }, { slug: "plain" }],
      },
    });
    const health = async () =>
      Object.fromEntries((await plane.store.apps(id)).map((app) => [app.slug, app.health]));
    expect(await health()).toEqual({ web: "initializing", plain: "disabled" });
    await eventually(async () => (await health())["web"] === "healthy", "healthy", 10_000);
    status = 500;
    await eventually(async () => (await health())["web"] === "unhealthy", "unhealthy", 10_000);
    expect((await health())["plain"]).toBe("disabled");
  });

  it("is stats, as often as the server asks for (C4.49)", async () => {
    const { reports } = await running({ plane: { statsIntervalMs: 50 } });
    await eventually(async () => (await reports()).stats.length >= 3, "three reports");
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
    const { becomes, agent, states, record, logs, reports } = await running({
      agent: { scripts: [{ displayName: "Stop", script: "echo bye", runOnStop: true }] },
    });
    await becomes("ready");
    await agent.stop();
    expect(states()).toEqual(["starting", "ready", "shutting_down", "off"]);
    expect((await record())?.lifecycleState).toBe("off");
    expect(await logs()).toEqual(["info bye"]);
    expect((await reports()).scriptTimings).toMatchObject([{ stage: "stop", status: "ok" }]);
    await eventually(async () => (await record())?.connection.disconnectedAtUs !== undefined, "disconnected");
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
    const { agent } = start("http://127.0.0.1:9");
    await Promise.all([agent.stop(), agent.stop()]);
    await agent.ended;
  }, 10_000);
});

describe("an agent and its connection", () => {
  it("goes on after a lost connection, runs start scripts once, and loses no log line", async () => {
    const { plane, events, becomes, logs, states, sever } = await throughLink({
      scripts: [script("for i in $(seq 1 40); do echo $i; sleep 0.02; done")],
    });
    await eventually(async () => (await logs()).length > 3, "some lines");
    sever();
    await eventually(
      () => events.filter(({ kind }) => kind === "connected").length === 2,
      "the second connection",
    );
    await becomes("ready");
    await eventually(async () => new Set(await logs()).size === 40, "all lines");
    expect(events).toContainEqual(expect.objectContaining({ kind: "disconnected" }));
    expect(states()).toEqual(["starting", "ready"]);
    // lines without an answer are sent again, so one batch may be there twice; nothing else is out of order
    const numbers = (await logs()).map((line) => Number(line.replace("info ", "")));
    expect(new Set(numbers)).toEqual(new Set(Array.from({ length: 40 }, (_, i) => i + 1)));
    expect(plane.api.sessionCount).toBe(1);
  });

  it("ends with the refusal of a server that will never take it", async () => {
    const plane = await controlPlane();
    const { agent, events } = start(plane.url, { dial: { url: plane.url, token: "nonsense" } });
    expect(await agent.ended).toMatchObject({ error: { status: 401 }, unsent: [] });
    expect(events).toEqual([]);
  });

  it("tries again while the server is away, with a pause", async () => {
    const { agent, events } = start("http://127.0.0.1:9");
    await eventually(() => events.length >= 2, "two attempts");
    for (const event of events) {
      expect(event).toMatchObject({ kind: "disconnected", reason: expect.stringContaining("ECONNREFUSED") });
      if (event.kind === "disconnected") expect(event.retryInMs).toBeLessThanOrEqual(10_000);
    }
    await agent.stop();
  }, 15_000);

  it("works against an older server, without what that does not have", async () => {
    const { becomes, logs, agent, events } = await running({
      agent: { scripts: [script("echo hi")] },
      plane: { serverVersion: { major: 2, minor: 0 } },
    });
    await becomes("ready");
    await eventually(async () => (await logs()).length === 1, "the line");
    expect(events[0]).toEqual({ kind: "connected", version: "2.0" });
    await agent.stop();
  });
});

/** A control plane behind a link that can be cut. */
async function throughLink(definition: Partial<AgentDefinition>) {
  const plane = await controlPlane(definition);
  const { port } = new URL(plane.url);
  const links = new Set<Socket>();
  const link = createTcpServer((near) => {
    const far = connect(Number(port), "127.0.0.1");
    for (const socket of [near, far]) {
      links.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => links.delete(socket));
    }
    near.pipe(far).pipe(near);
  }).listen(0, "127.0.0.1");
  onTestFinished(() => {
    link.close();
    for (const socket of links) socket.destroy();
  });
  await once(link, "listening");
  const url = `http://127.0.0.1:${(link.address() as AddressInfo).port}`;
  const sever = () => {
    for (const socket of links) socket.destroy();
  };
  return { plane, sever, ...start(url), ...reading(plane) };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
