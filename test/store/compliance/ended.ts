import { describe, expect, it } from "vitest";
import { StoreConflict } from "../../../src/store/index.js";
import {
  awkward,
  contextOf,
  lab,
  large,
  line,
  main,
  nobody,
  type Subject,
  sourceId,
  statsAt,
  subAgentOf,
  token,
} from "./fixtures.js";

/** Context, sub-agents, and what ends. */
export function endedThings({ name, definedStore }: Subject): void {
  describe(`${name}: context`, () => {
    it("is replaced whole, by a higher version or an initial push (S3.111)", async () => {
      const { store, id } = await definedStore();
      expect(await store.replaceContext(contextOf(id, 5n), false)).toBe(true);
      expect(await store.context(id)).toEqual(contextOf(id, 5n));
      expect(await store.replaceContext({ ...contextOf(id, 5n), resources: [] }, false)).toBe(false);
      expect(await store.replaceContext(contextOf(id, 4n), false)).toBe(false);
      expect((await store.context(id))?.resources).toHaveLength(2);
      expect(await store.replaceContext({ ...contextOf(id, large), resources: [] }, false)).toBe(true);
      expect(await store.context(id)).toEqual({ ...contextOf(id, large), resources: [] });
      expect(await store.replaceContext(contextOf(id, 1n), true)).toBe(true);
      expect((await store.context(id))?.version).toBe(1n);
      expect(await store.replaceContext(contextOf(nobody, 1n), true)).toBe(false);
    });

    it("of pushes at the same time the newest stays", async () => {
      const { store, id } = await definedStore();
      const versions = Array.from({ length: 30 }, (_, i) => BigInt((i * 7) % 30) + 1n);
      const accepted = await Promise.all(
        versions.map((version) => store.replaceContext(contextOf(id, version), false)),
      );
      expect((await store.context(id))?.version).toBe(30n);
      expect(accepted[versions.indexOf(30n)]).toBe(true);
    });
  });

  describe(`${name}: sub-agents and ends`, () => {
    it("a build has a name once; a name is free again when its agent is deleted (S3.94)", async () => {
      const { store, id, agent } = await definedStore();
      const taken = 'workspace agent name "sub" already exists in this workspace build';
      const twins = ["sub", "sub"].map((sub) => store.insertSubAgent(subAgentOf(agent, sub)));
      const settled = await Promise.allSettled(twins);
      expect(settled.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
      await expect(store.insertSubAgent(subAgentOf(agent, "sub"))).rejects.toThrow(new StoreConflict(taken));
      await expect(store.insertSubAgent(subAgentOf(agent, "main"))).rejects.toThrow(StoreConflict);
      await store.insertSubAgent(subAgentOf(agent, "Sub"));
      const [sub] = (await store.subAgents(id)).filter((one) => one.name === "sub");
      await store.updateSubAgent(sub?.id ?? "", { displayApps: [], directory: undefined });
      expect(await store.agent(sub?.id ?? "")).toMatchObject({
        displayApps: [],
        directory: "",
        parentId: id,
      });
      await store.updateSubAgent(sub?.id ?? "", { displayApps: ["vscode", "vscode"], directory: awkward });
      expect(await store.agent(sub?.id ?? "")).toMatchObject({
        displayApps: ["vscode", "vscode"],
        directory: awkward,
      });
      await store.updateSubAgent(nobody, { displayApps: [], directory: "" });
      await store.deleteAgent(sub?.id ?? "");
      await store.insertSubAgent(subAgentOf(agent, "sub"));
    });

    it("a deleted agent takes its token, its reports and the agents that it made with it (S3.100)", async () => {
      const { store, id, agent } = await definedStore();
      const child = subAgentOf(agent, "child");
      const grandchild = subAgentOf(child, "grandchild");
      await store.insertSubAgent(child);
      await store.insertSubAgent(grandchild);
      await store.insertLogs(child.id, sourceId, 1, [line("x")]);
      await store.replaceContext(contextOf(child.id, 1n), true);
      await store.insertStats([statsAt(child.id, 1)]);
      await store.deleteAgent(child.id);
      expect(await store.agentByToken(child.authToken)).toBeUndefined();
      expect(await store.agentByToken(grandchild.authToken)).toBeUndefined();
      expect(await store.logs(child.id, 0, 1)).toEqual([]);
      expect(await store.context(child.id)).toBeUndefined();
      expect((await store.reports(child.id, 1)).stats).toEqual([]);
      expect(await store.subAgents(id)).toEqual([]);
      await store.deleteAgent(child.id);
      expect(await store.agentByToken(token)).toEqual(agent);
    });

    it("a definition that comes later leaves sub-agents alone", async () => {
      const { store, id, agent } = await definedStore();
      await store.insertSubAgent(subAgentOf(agent, "sub"));
      await store.define([{ ...lab, agents: [{ ...main, directory: "/elsewhere" }] }]);
      expect((await store.subAgents(id)).map((one) => one.name)).toEqual(["sub"]);
      expect((await store.agents(agent.workspaceId)).map((one) => one.name).sort()).toEqual(["main", "sub"]);
    });

    it("a deleted workspace is gone with all that belongs to it", async () => {
      const { store, id, agent, workspaceId } = await definedStore();
      await store.define([{ owner: "bob", name: "lab", agents: [{ name: "main" }] }]);
      const sub = subAgentOf(agent, "sub");
      await store.insertSubAgent(sub);
      await store.deleteWorkspace(workspaceId);
      await store.deleteWorkspace(workspaceId);
      expect(await store.workspace(workspaceId)).toBeUndefined();
      expect(await store.builds(workspaceId)).toBeUndefined();
      expect(await store.agent(id)).toBeUndefined();
      expect(await store.agentByToken(sub.authToken)).toBeUndefined();
      expect(await store.workspaces()).toHaveLength(1);
      const [again] = await store.define([lab]);
      expect(again?.id).not.toBe(id);
    });

    it("secrets are bytes, by name, of a user who has a workspace", async () => {
      const { store, workspaceId } = await definedStore();
      const ownerId = (await store.workspace(workspaceId))?.ownerId ?? "";
      const secret = { envName: "E", filePath: "", value: Uint8Array.of(0, 255, 1) };
      await store.setSecret("ada", "z", secret);
      await store.setSecret("ada", awkward, { ...secret, value: new Uint8Array() });
      await store.setSecret("ada", "z", { ...secret, envName: "F" });
      expect(await store.secrets(ownerId)).toEqual([
        { name: awkward, ...secret, value: new Uint8Array() },
        { name: "z", ...secret, envName: "F" },
      ]);
      await store.setSecret("ada", "z", undefined);
      await store.setSecret("ada", "none", undefined);
      expect(await store.secrets(ownerId)).toHaveLength(1);
      await expect(store.setSecret("nobody", "z", secret)).rejects.toThrow("nobody has no workspace");
    });
  });
}
