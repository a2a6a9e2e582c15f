import { describe, expect, it } from "vitest";
import type { ControlPlaneStore } from "../../../src/store/index.js";
import { lab, type Subject, subAgentOf } from "./fixtures.js";

/** What a user has. */
export function ownedThings({ name, emptyStore, definedStore }: Subject): void {
  describe(`${name}: workspaces of a user (S4.33)`, () => {
    it("are there by name, with their latest builds and the agents of these, also those that agents made", async () => {
      const { store, agent, workspaceId } = await definedStore();
      await store.define([
        { owner: "ada", name: "arena", agents: [{ name: "z" }, { name: "a" }] },
        { owner: "bob", name: "lab", agents: [{ name: "main" }] },
      ]);
      const sub = subAgentOf(agent, "sub");
      await store.insertSubAgent(sub);
      await store.insertSubAgent({ ...subAgentOf(sub, "subsub") });
      const owned = await ownedBy(store, "ada");
      expect(owned.map(({ workspace }) => workspace.name)).toEqual(["arena", "lab"]);
      const [arena, itsLab] = owned;
      expect(arena?.agents.map(({ name: of }) => of)).toEqual(["z", "a"]);
      expect(itsLab?.workspace).toEqual(await store.workspace(workspaceId));
      expect(itsLab?.latestBuild).toEqual((await store.builds(workspaceId))?.latest);
      expect(itsLab?.agents).toEqual(await store.agents(workspaceId));
      expect(itsLab?.agents.map(({ name: of }) => of).sort()).toEqual(["main", "sub", "subsub"]);
    });

    it("have no agents of an earlier build, and none that are deleted", async () => {
      const { store, id, agent, workspaceId } = await definedStore();
      const only = async () => {
        const [one, ...others] = await ownedBy(store, "ada");
        expect(others).toEqual([]);
        return { number: one?.latestBuild.number, agents: one?.agents.map(({ id: of }) => of) };
      };
      await store.insertSubAgent(subAgentOf(agent, "sub"));
      for (const { id: sub } of await store.subAgents(id)) await store.deleteAgent(sub);
      expect(await only()).toEqual({ number: 1, agents: [id] });
      await store.newBuild(workspaceId, { transition: "start", job: { status: "running", error: "" } });
      expect(await only()).toEqual({ number: 2, agents: [] });
      await store.newBuild(workspaceId, { transition: "start" });
      const [next] = await store.agents(workspaceId);
      expect(await only()).toEqual({ number: 3, agents: [next?.id] });
      expect(next?.id).not.toBe(id);
      await store.deleteAgent(next?.id ?? "");
      expect(await only()).toEqual({ number: 3, agents: [] });
    });

    it("change their owner when they are claimed, and are gone when they are deleted", async () => {
      const store = await emptyStore();
      await store.define([{ ...lab, owner: "", isPrebuilt: true }]);
      const [pooled] = await store.workspaces();
      if (pooled === undefined) throw new Error("the workspace is not there");
      expect(await store.ownedWorkspaces(pooled.ownerId)).toHaveLength(1);
      const { id: buildId } = await store.claim(pooled.id, "ada", "mine");
      expect(await store.ownedWorkspaces(pooled.ownerId)).toEqual([]);
      const claimed = await store.workspace(pooled.id);
      const owned = await store.ownedWorkspaces(claimed?.ownerId ?? "");
      expect(owned).toMatchObject([
        { workspace: { id: pooled.id, name: "mine" }, latestBuild: { id: buildId }, agents: [{ buildId }] },
      ]);
      await store.deleteWorkspace(pooled.id);
      expect(await store.ownedWorkspaces(claimed?.ownerId ?? "")).toEqual([]);
    });
  });
}

async function ownedBy(store: ControlPlaneStore, owner: string) {
  const workspace = (await store.workspaces()).find(({ ownerUsername }) => ownerUsername === owner);
  return await store.ownedWorkspaces(workspace?.ownerId ?? "");
}
