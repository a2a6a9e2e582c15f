import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readWorkspaces, WorkspacesFileError } from "../../src/server/index.js";
import { MemoryStore, StoreConflict, type WorkspaceDefinition } from "../../src/store/index.js";

const token = "6f3e2a4c-1b7d-4e0a-9c55-0d1f2b3a4c5d";

const full = `
workspaces:
  - owner: ada
    name: lab
    task: { name: write it, agent: main, app: web }
    agents:
      - name: main
        instance_id: i-1
        connection_timeout: 120
        troubleshooting_url: https://help.test
        token: ${token.toUpperCase()}
        directory: ~/code
        env: { A: "1" }
        motd_file: /etc/motd
        architecture: arm64
        os: linux
        scripts:
          - { name: Start, script: "echo hi", run_on_start: true, timeout: 60, cron: "", icon: /i.png }
          - { name: Stop, script: "echo bye", run_on_stop: true }
        apps:
          - slug: web
            display_name: Web
            url: http://localhost:1
            share: public
            healthcheck: { url: http://localhost:1/health, interval: 5, threshold: 3 }
        metadata: [{ key: load, display_name: Load, script: uptime, interval: 10, timeout: 1 }]
        devcontainers: [{ name: dc, workspace_folder: /projects, config_path: x.json }]
        resources_monitoring:
          memory: { threshold: 80 }
          volumes: [{ path: /, threshold: 90, enabled: false }]
        log_sources: [{ name: Build, icon: /b.png }]
`;

function changed(change: (definition: WorkspaceDefinition) => WorkspaceDefinition): WorkspaceDefinition[] {
  return readWorkspaces(full, "full.yaml").map(change);
}

describe("a workspaces file", () => {
  it("has everything that an agent's manifest can have", async () => {
    const store = new MemoryStore();
    const [defined] = await store.define(readWorkspaces(full, "full.yaml"));
    expect(defined).toMatchObject({ owner: "ada", workspace: "lab", agent: "main", token });
    const id = defined?.id ?? "";
    expect(await store.agent(id)).toMatchObject({
      directory: "~/code",
      environment: { A: "1" },
      motdFile: "/etc/motd",
      architecture: "arm64",
      operatingSystem: "linux",
      instanceId: "i-1",
      connectionTimeoutSeconds: 120,
      troubleshootingUrl: "https://help.test",
    });
    const [app] = await store.apps(id);
    expect((await store.workspaces())[0]?.task).toMatchObject({ name: "write it", appId: app?.id });
    const { apps, scripts, metadata, devcontainers } = await store.manifestRecords(id);
    expect(apps).toMatchObject([
      {
        slug: "web",
        displayName: "Web",
        sharingLevel: "public",
        health: "initializing",
        healthcheck: { url: "http://localhost:1/health", intervalSeconds: 5, threshold: 3 },
      },
    ]);
    expect([...scripts].sort((a, b) => (a.displayName < b.displayName ? -1 : 1))).toMatchObject([
      { displayName: "Start", runOnStart: true, runOnStop: false, timeoutSeconds: 60 },
      { displayName: "Stop", runOnStart: false, runOnStop: true },
    ]);
    expect(metadata).toMatchObject([{ key: "load", intervalSeconds: 10, timeoutSeconds: 1 }]);
    expect(devcontainers).toMatchObject([{ name: "dc", workspaceFolder: "/projects", configPath: "x.json" }]);
    expect(await store.resourceMonitors(id)).toMatchObject({
      memory: { enabled: true, thresholdPercent: 80 },
      volumes: [{ path: "/", enabled: false, thresholdPercent: 90 }],
    });
    expect((await store.logSources(id)).map(({ displayName }) => displayName).sort()).toEqual([
      "Build",
      "Start",
      "Stop",
    ]);
  });

  it("in the examples can be read", () => {
    const file = new URL("../../examples/workspaces.yaml", import.meta.url);
    expect(readWorkspaces(readFileSync(file, "utf8"), "workspaces.yaml")).toHaveLength(1);
  });

  it("read twice changes nothing", async () => {
    const store = new MemoryStore();
    const first = await store.define(readWorkspaces(full, "full.yaml"));
    const id = first[0]?.id ?? "";
    const before = [await store.manifestRecords(id), await store.logSources(id), await store.agent(id)];
    expect(await store.define(readWorkspaces(full, "full.yaml"))).toEqual(first);
    expect([await store.manifestRecords(id), await store.logSources(id), await store.agent(id)]).toEqual(
      before,
    );
  });

  it("that has changed updates what is declared, and keeps what agents have reported", async () => {
    const store = new MemoryStore();
    const [defined] = await store.define(readWorkspaces(full, "full.yaml"));
    const id = defined?.id ?? "";
    const ready = { state: "ready", startedAtUs: 1, readyAtUs: 2 } as const;
    await store.updateLifecycle(id, ready);
    await store.updateMetadata([{ agentId: id, key: "load", value: "7", error: "", collectedAtUs: 3 }]);
    const [app] = await store.apps(id);
    await store.updateAppHealth(app?.id ?? "", "healthy");
    const [again] = await store.define(
      changed((workspace) => ({
        ...workspace,
        agents: workspace.agents.map((agent) => ({
          ...agent,
          directory: "/new",
          scripts: [],
          token: undefined,
        })),
      })),
    );
    expect(again).toEqual(defined);
    expect(await store.agent(id)).toMatchObject({ directory: "/new", lifecycleState: "ready", readyAtUs: 2 });
    const { scripts, metadata, apps } = await store.manifestRecords(id);
    expect(scripts).toEqual([]);
    expect(metadata).toMatchObject([{ value: "7" }]);
    expect(apps).toMatchObject([{ id: app?.id, health: "healthy" }]);
  });

  it("with a new token makes the old one worth nothing", async () => {
    const store = new MemoryStore();
    await store.define(readWorkspaces(full, "full.yaml"));
    const next = "11111111-1b7d-4e0a-9c55-0d1f2b3a4c5d";
    await store.define(
      changed((workspace) => ({
        ...workspace,
        agents: workspace.agents.map((agent) => ({ ...agent, token: next })),
      })),
    );
    expect(await store.agentByToken(token)).toBeUndefined();
    expect(await store.agentByToken(next)).toMatchObject({ name: "main" });
  });

  it.each([
    ["workspaces: [", "line 1"],
    [
      "workspaces:\n  - owner: ada\n    name: lab\n    agents:\n      - name: main\n        tokn: x\n",
      "line 5: ",
    ],
    [
      "workspaces:\n  - owner: ada\n    name: lab\n    agents:\n      - name: main\n        token: short\n",
      "line 6: ",
    ],
    [
      "workspaces:\n  - owner: ada\n    name: lab\n    agents: []\n  - owner: bob\n",
      "line 5: workspaces.1.name",
    ],
    ["", "line 1: the file"],
    ["hello", "line 1: the file"],
    ["workspaces:\n  - owner: ada\n    name: lab\n    agents: [{ name: -x }]\n", "single hyphens"],
    ["workspaces:\n  - owner: ada\n    owner: bob\n    name: lab\n    agents: []\n", "line 3"],
  ])("%j is refused, with the line", (text, said) => {
    let error: unknown;
    try {
      readWorkspaces(text, "some.yaml");
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(WorkspacesFileError);
    expect(String(error)).toContain("some.yaml is not a workspaces file");
    expect(String(error)).toContain(said);
  });
});

describe("definitions in which something is there twice", () => {
  const agent = (more: object) => [{ owner: "ada", name: "lab", agents: [{ name: "main", ...more }] }];
  const twins = <T>(row: T) => [row, row];

  it.each([
    ["workspaces", twins({ owner: "ada", name: "lab", agents: [] }), 'two workspaces "ada/lab"'],
    ["agents", [{ owner: "ada", name: "lab", agents: twins({ name: "a" }) }], 'two agents "a"'],
    [
      "tokens",
      [
        {
          owner: "ada",
          name: "lab",
          agents: [
            { name: "a", token },
            { name: "b", token },
          ],
        },
      ],
      'two agents with the token of "b"',
    ],
    [
      "scripts",
      agent({ scripts: twins({ displayName: "s", script: "" }) }),
      'agent ada/lab/main: two scripts "s"',
    ],
    ["apps", agent({ apps: twins({ slug: "x" }) }), 'two apps "x"'],
    [
      "metadata",
      agent({ metadata: twins({ key: "k", script: "", intervalSeconds: 1 }) }),
      'two metadata keys "k"',
    ],
    [
      "devcontainers",
      agent({ devcontainers: twins({ name: "d", workspaceFolder: "/" }) }),
      'two devcontainers "d"',
    ],
    ["log sources", agent({ logSources: twins({ displayName: "l" }) }), 'two log sources "l"'],
  ])("%s: are refused, and nothing is changed", async (_what, definitions, said) => {
    const store = new MemoryStore();
    await expect(store.define(definitions as WorkspaceDefinition[])).rejects.toThrow(StoreConflict);
    await expect(store.define(definitions as WorkspaceDefinition[])).rejects.toThrow(said);
    expect(await store.agentByToken(token)).toBeUndefined();
  });

  it("a token that another agent has is refused, without the token in the text", async () => {
    const store = new MemoryStore();
    await store.define(agent({ token }));
    const other = [{ owner: "bob", name: "lab", agents: [{ name: "other", token }] }];
    await expect(store.define(other)).rejects.toThrow(
      /^two agents have the same token: other is the second$/,
    );
  });
});
