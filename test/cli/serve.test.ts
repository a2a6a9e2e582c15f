import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { dialAgent } from "../../src/client/index-node.js";
import { eventually } from "../support/control-plane.js";
import { httpServer } from "../support/http-servers.js";
import { tool, toolResult } from "../support/terminal.js";

async function fileWith(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "agentwire-serve-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "workspaces.yaml");
  await writeFile(file, text);
  return file;
}

async function served(...args: string[]) {
  const database = args.includes("--database") ? [] : ["--database", "memory"];
  const run = tool(["serve", "--listen", "127.0.0.1:0", ...database, ...args]);
  await eventually(() => run.stdout().endsWith("\n"), "the line that it is ready");
  const ready = JSON.parse(run.stdout()) as {
    url: string;
    agents: { workspace: string; agent: string; id: string; token: string }[];
  };
  return { run, ready };
}

describe("agentwire serve", () => {
  it("prints one line of JSON when it is ready, with an agent that can connect", async () => {
    const { run, ready } = await served();
    expect(run.stdout().split("\n")).toHaveLength(2);
    expect(ready.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(ready.agents).toMatchObject([
      { workspace: "dev", agent: "main", owner_id: expect.stringMatching(/^[0-9a-f-]{36}$/) },
    ]);
    expect(run.stderr()).toContain("kept in memory");
    const connection = await dialAgent({ url: ready.url, token: ready.agents[0]?.token ?? "" });
    expect((await connection.agent.getManifest({})).agentName).toBe("main");
    await connection.close();
    run.interrupt();
    expect(await run.exitCode).toBe(0);
  });

  it("shows connections with version and role, logs, and what else happens", async () => {
    const file = await fileWith(`
workspaces:
  - owner: ada
    name: lab
    agents:
      - name: main
        token: 6f3e2a4c-1b7d-4e0a-9c55-0d1f2b3a4c5d
        apps: [{ slug: web }]
        metadata: [{ key: load, display_name: Load, script: uptime, interval: 1 }]
        log_sources: [{ name: Build, id: 3f2b1a00-0000-4000-8000-000000000001 }]
`);
    const { run, ready } = await served("--workspaces", file);
    const env = { CODER_AGENT_URL: ready.url, CODER_AGENT_TOKEN: ready.agents[0]?.token ?? "" };
    const call = (...args: string[]) => toolResult(["call", ...args], env);
    await call("Agent/UpdateLifecycle", '{"lifecycle":{"state":"STARTING"}}', "--role", "agent");
    await call("Agent/UpdateAppStatus", '{"slug":"web","state":"WORKING","message":"on it"}');
    await call("Agent/UpdateAppStatus", '{"slug":"web","state":"COMPLETE","message":"done"}');
    await call("Agent/BatchUpdateMetadata", '{"metadata":[{"key":"load","result":{"value":"0.5"}}]}');
    const logSourceId = Buffer.from("3f2b1a00000040008000000000000001", "hex").toString("base64");
    const output = "red \u001b[31mtext\u001b[0m \u0007and\u001b]0;title\u0007 more";
    await call("Agent/BatchCreateLogs", JSON.stringify({ logSourceId, logs: [{ output, level: "ERROR" }] }));
    await eventually(() => run.stderr().includes("[Build]"), "the log line");
    await eventually(() => run.stderr().includes("metadata"), "the metadata");
    const lines = run.stderr().split("\n");
    const shown = lines.filter((line) => /^\d\d:\d\d:\d\d/.test(line)).map((line) => line.slice(10));
    const isLeaving = (line: string) => line.includes(" left ");
    const beside = "lab/main  connected   API 2.10, role agentwire-call (beside the agent)";
    // metadata is stored in company, and shown when it is
    const metadata = "lab/main  metadata    Load = 0.5";
    expect(shown).toContain(metadata);
    expect(shown.filter((line) => !isLeaving(line) && line !== metadata)).toEqual([
      "lab/main  connected   API 2.10, role agent",
      "lab/main  lifecycle   starting",
      beside,
      "lab/main  app status  web is working: on it",
      beside,
      "lab/main  app status  web is complete: done",
      beside,
      beside,
      "lab/main  log         [Build] red text and more",
    ]);
    expect(shown.filter(isLeaving).slice(0, 2)).toEqual([
      "lab/main  left        role agent",
      "lab/main  left        role agentwire-call",
    ]);
  });

  it("shows nothing with --quiet but what its user must know", async () => {
    const { run, ready } = await served("--quiet");
    const env = { CODER_AGENT_URL: ready.url, CODER_AGENT_TOKEN: ready.agents[0]?.token ?? "" };
    await toolResult(["call", "Agent/GetManifest"], env);
    expect(run.stderr()).toBe("State is kept in memory; it is gone when this ends.\n");
  });

  it("takes over changes of its file, and says which agents are new", async () => {
    const agent = (name: string) => `      - name: ${name}\n`;
    const fileOf = (...names: string[]) =>
      `workspaces:\n  - owner: ada\n    name: lab\n    agents:\n${names.map(agent).join("")}`;
    const file = await fileWith(`${fileOf("main")}  - owner: ada\n    name: other\n    agents: []\n`);
    const { run, ready } = await served("--workspaces", file, "--admin-token", "0123456789abcdef");
    const admin = (method: string) =>
      fetch(`${ready.url}/agentwire.admin.v1.AdminService/${method}`, {
        method: "POST",
        headers: { "Content-Type": "application/json", Authorization: "Bearer 0123456789abcdef" },
        body: "{}",
      }).then((response) => response.json() as Promise<{ workspaces: { name: string }[] }>);
    expect((await admin("ListWorkspaces")).workspaces.map(({ name }) => name)).toEqual(["lab", "other"]);

    await writeFile(file, fileOf("main", "second"));
    await eventually(() => run.stdout().split("\n").length === 3, "the line of the new agent");
    const { agents } = JSON.parse(run.stdout().split("\n")[1] ?? "") as {
      agents: { agent: string; token: string }[];
    };
    expect(agents.map(({ agent: name }) => name)).toEqual(["second"]);
    for (const token of [agents[0]?.token, ready.agents[0]?.token]) {
      await (await dialAgent({ url: ready.url, token: token ?? "" })).close();
    }
    // a workspace that the file has no more is gone
    expect((await admin("ListWorkspaces")).workspaces.map(({ name }) => name)).toEqual(["lab"]);

    await writeFile(file, "workspaces: [{");
    await eventually(() => run.stderr().includes("What was declared before stays."), "the error");
    expect(run.stderr()).toContain("line 1");
    await (await dialAgent({ url: ready.url, token: ready.agents[0]?.token ?? "" })).close();
  });

  it("keeps state and tokens in a directory, over restarts", async () => {
    const folder = await mkdtemp(join(tmpdir(), "agentwire-serve-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const database = ["--database", join(folder, "data")];
    const first = await served(...database);
    expect(first.run.stderr()).toContain(`State is kept in ${join(folder, "data")}.`);
    const token = first.ready.agents[0]?.token ?? "";
    const connection = await dialAgent({ url: first.ready.url, token });
    await connection.agent.updateStartup({ startup: { version: "v1.2.3", expandedDirectory: "/home/me" } });
    await connection.close();
    first.run.interrupt();
    expect(await first.run.exitCode).toBe(0);

    const second = await served(...database);
    expect(second.ready.agents).toEqual(first.ready.agents);
    await (await dialAgent({ url: second.ready.url, token })).close();
    second.run.interrupt();
    expect(await second.run.exitCode).toBe(0);
  });

  it("without --database keeps state in a directory of the user's", async () => {
    const folder = await mkdtemp(join(tmpdir(), "agentwire-serve-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const run = tool(["serve", "--listen", "127.0.0.1:0"], { XDG_DATA_HOME: folder });
    await eventually(
      () => run.stderr().includes(`State is kept in ${join(folder, "agentwire")}.`),
      "the directory",
    );
    run.interrupt();
    expect(await run.exitCode).toBe(0);
  });

  it("refuses events for a database that one process has for itself", async () => {
    const { exitCode, stderr } = await toolResult([
      "serve",
      "--database",
      "memory",
      "--events",
      "nats://127.0.0.1:1",
    ]);
    expect([exitCode, stderr]).toEqual([
      2,
      "agentwire: --events is for control planes on one PostgreSQL database; see --database\n",
    ]);
  });

  it("refuses an admin token that is too short to be one", async () => {
    const { exitCode, stderr } = await toolResult(["serve", "--admin-token", "short"]);
    expect([exitCode, stderr]).toEqual([2, "agentwire: --admin-token must have at least 16 characters\n"]);
  });

  it("ends sessions in order when it is interrupted", async () => {
    const { run, ready } = await served();
    const connection = await dialAgent({ url: ready.url, token: ready.agents[0]?.token ?? "" });
    run.interrupt();
    expect(await run.exitCode).toBe(0);
    expect((await connection.closed).code).toBe("closed-by-peer");
  });

  it("refuses a workspaces file with what is wrong in which line", async () => {
    const file = await fileWith(
      "workspaces:\n  - owner: ada\n    name: lab\n    agents:\n      - nam: main\n",
    );
    const { exitCode, stderr } = await toolResult(["serve", "--workspaces", file]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("line 5");
    expect(stderr).toContain("nam");
  });

  it("refuses a workspaces file in which two things have the same name", async () => {
    const twins = "[{ name: main }, { name: main }]";
    const file = await fileWith(`workspaces: [{ owner: ada, name: lab, agents: ${twins} }]`);
    const { exitCode, stderr } = await toolResult(["serve", "--workspaces", file]);
    expect(exitCode).toBe(2);
    expect(stderr).toBe('agentwire: workspace ada/lab: two agents "main"\n');
  });

  it.each([
    [["--listen", "nowhere"], "--listen nowhere: must be HOST:PORT"],
    [["--listen", "127.0.0.1:70000"], "must be HOST:PORT"],
    [["--workspaces", "/does/not/exist"], "ENOENT"],
    [["extra"], '"extra" is too much'],
  ])("refuses %j with 2", async (args, said) => {
    const { exitCode, stderr } = await toolResult(["serve", ...args]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(said);
  });

  it("--derp-map: the relays of a file or a URL, as they change", async () => {
    const json = (name: string) =>
      JSON.stringify({ Regions: { "7": { Nodes: [{ Name: "7a", HostName: name }] } } });
    const file = await fileWith(json("a.example.com"));
    const { url } = await httpServer((_request, response) => response.end(json("url.example.com")));
    const hostOf = async (ready: Awaited<ReturnType<typeof served>>["ready"]) => {
      const connection = await dialAgent({ url: ready.url, token: ready.agents[0]?.token ?? "" });
      onTestFinished(() => connection.close());
      for await (const map of connection.tailnet.streamDERPMaps({}))
        return map.regions["7"]?.nodes[0]?.hostName;
      return undefined;
    };
    const ofFile = await served("--derp-map", file);
    expect(await hostOf(ofFile.ready)).toBe("a.example.com");
    await writeFile(file, json("b.example.com"));
    await eventually(async () => (await hostOf(ofFile.ready)) === "b.example.com", "the new relay");
    await writeFile(file, "nothing");
    await eventually(() => ofFile.run.stderr().includes("The relays stay as they were."), "the problem");
    expect(await hostOf((await served("--derp-map", url)).ready)).toBe("url.example.com");
    ofFile.run.interrupt();
    expect(await ofFile.run.exitCode).toBe(0);
    const { exitCode, stderr } = await toolResult(["serve", "--derp-map", file]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("is not a map of relays");
  });

  it("fails with 1 when the port is taken", async () => {
    const { ready } = await served();
    const { exitCode, stderr } = await toolResult(["serve", "--listen", new URL(ready.url).host]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("EADDRINUSE");
  });
});
