import { describe, expect, it } from "vitest";
import { blankAgent, MemoryStore, StoreConflict } from "../../src/store/index.js";
import { reportsOf } from "../support/reports.js";
import { storeCompliance } from "./compliance.js";

storeCompliance("the store in memory", async () => new MemoryStore());

const sourceId = "11111111-2222-4333-8444-555555555555";

async function defined(store = new MemoryStore()) {
  const [agent] = await store.define([
    {
      owner: "ada",
      name: "lab",
      agents: [{ name: "main", scripts: [{ displayName: "s", script: "" }], apps: [{ slug: "web" }] }],
    },
  ]);
  return { store, id: agent?.id ?? "", token: agent?.token ?? "" };
}

const line = (output: string) => ({ level: "info" as const, output });

describe("logs in memory", () => {
  it("are numbered from one, over all agents, and read in pages", async () => {
    const { store, id } = await defined();
    expect(await store.insertLogs(id, sourceId, 1, [line("a"), line("b")])).toEqual({
      kind: "stored",
      firstId: 1,
      wereFirst: true,
    });
    expect(await store.insertLogs(id, sourceId, 2, [line("c")])).toEqual({
      kind: "stored",
      firstId: 3,
      wereFirst: false,
    });
    const outputs = async (after: number, limit: number) =>
      (await store.logs(id, after, limit)).map(({ output }) => output);
    expect(await outputs(0, 2)).toEqual(["a", "b"]);
    expect(await outputs(2, 2)).toEqual(["c"]);
    expect(await outputs(3, 2)).toEqual([]);
  });

  it("keep the first registration of a source", async () => {
    const { store, id } = await defined();
    const source = { agentId: id, id: sourceId, displayName: "one", icon: "", createdAtUs: 1 };
    await store.insertLogSource(source);
    await store.insertLogSource({ ...source, displayName: "two", createdAtUs: 2 });
    expect((await store.logSources(id)).find((row) => row.id === sourceId)).toEqual(source);
  });
});

describe("runs of scripts in memory", () => {
  it("are kept once each, and only of scripts that there are", async () => {
    const { store, id } = await defined();
    const [script] = (await store.manifestRecords(id)).scripts;
    const timing = {
      scriptId: script?.id ?? "",
      startedAtUs: 1,
      endedAtUs: 2,
      exitCode: 0,
      stage: "start" as const,
      status: "ok" as const,
    };
    await store.insertScriptTiming(timing);
    await expect(store.insertScriptTiming(timing)).rejects.toThrow(StoreConflict);
    await expect(store.insertScriptTiming({ ...timing, scriptId: sourceId })).rejects.toThrow(StoreConflict);
    expect((await reportsOf(store, id)).scriptTimings).toEqual([timing]);
  });
});

describe("histories in memory", () => {
  it("keep the last thousand entries, so that memory does not grow for ever", async () => {
    const { store, id } = await defined();
    const [app] = await store.apps(id);
    for (let i = 0; i < 2500; i++) {
      await store.insertAppStatus({
        id: String(i),
        agentId: id,
        workspaceId: "",
        appId: app?.id ?? "",
        state: "working",
        message: String(i),
        uri: undefined,
        createdAtUs: i,
      });
    }
    const { appStatuses } = await reportsOf(store, id);
    expect(appStatuses).toHaveLength(1000);
    expect(appStatuses.at(-1)?.message).toBe("2499");
    expect((await store.appStatuses({ agentId: id }, 2)).map(({ message }) => message)).toEqual([
      "2499",
      "2498",
    ]);
  });
});

describe("an agent that is deleted", () => {
  it("takes its token, its reports and its own sub-agents with it", async () => {
    const { store, id } = await defined();
    const parent = await store.agent(id);
    const sub = (name: string, parentId: string) => ({
      ...blankAgent(),
      id: crypto.randomUUID(),
      authToken: crypto.randomUUID(),
      workspaceId: parent?.workspaceId ?? "",
      parentId,
      name,
    });
    const child = sub("child", id);
    const grandchild = sub("grandchild", child.id);
    await store.insertSubAgent(child);
    await store.insertSubAgent(grandchild);
    await expect(store.insertSubAgent(sub("child", id))).rejects.toThrow("already exists");
    await store.insertLogs(child.id, sourceId, 1, [line("x")]);
    await store.deleteAgent(child.id);
    expect(await store.agentByToken(child.authToken)).toBeUndefined();
    expect(await store.agentByToken(grandchild.authToken)).toBeUndefined();
    expect(await store.logs(child.id, 0, 1)).toEqual([]);
    expect(await store.subAgents(id)).toEqual([]);
    await store.deleteAgent(child.id);
    await store.insertSubAgent(sub("child", id));
  });
});
