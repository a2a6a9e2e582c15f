import { describe, expect, it } from "vitest";
import { SubAgents } from "../../src/agent/index.js";
import { automaticNames } from "../../src/agent/sub-agents/sub-agent-names.js";
import { subAgentsPart } from "../../src/agent/sub-agents/sub-agents-part.js";
import { dialled } from "../support/control-plane.js";
import { testPlane } from "../support/test-plane.js";

async function connected() {
  const plane = await testPlane();
  const connection = await dialled(plane.agent);
  const subAgents = new SubAgents();
  subAgents.use(connection.agent);
  return { plane, connection, subAgents };
}

describe("sub-agents", () => {
  it("are created with a token to dial with, listed and deleted (C4.78, C4.79)", async () => {
    const { plane, subAgents } = await connected();
    const { agent, appErrors } = await subAgents.create({
      directory: "/projects/api",
      apps: [{ slug: "web", url: "http://localhost:1" }, { slug: "NOT A SLUG" }],
    });
    expect(agent.name).toBe("api");
    expect(appErrors).toEqual([{ slug: "NOT A SLUG", field: "slug", error: expect.any(String) }]);
    const sub = await dialled(plane, { token: agent.token });
    const manifest = await sub.agent.getManifest({});
    expect(manifest).toMatchObject({ agentName: "api", directory: "/projects/api" });
    expect(manifest.parentId).toHaveLength(16);
    expect(await subAgents.list()).toEqual([agent]);
    await subAgents.delete(agent.id);
    expect(await subAgents.list()).toEqual([]);
    expect(subAgents.created).toEqual([]);
  });

  it("get a longer name when the automatic one is taken, and no other when it was chosen (C4.80)", async () => {
    const { subAgents } = await connected();
    const names = [];
    for (let i = 0; i < 3; i++)
      names.push((await subAgents.create({ directory: "/home/ada/api" })).agent.name);
    expect(names).toEqual(["api", "ada-api", "home-ada-api"]);
    await expect(subAgents.create({ directory: "/home/ada/api", name: "api" })).rejects.toThrow(
      "workspace agent name",
    );
    await expect(subAgents.create({ directory: "/home/ada/api" })).rejects.toThrow("workspace agent name");
  });

  it("of an earlier life are removed, and those of this life stay (C4.77)", async () => {
    const { connection, subAgents } = await connected();
    const earlier = new SubAgents();
    earlier.use(connection.agent);
    await earlier.create({ directory: "/old" });
    const { agent } = await subAgents.create({ directory: "/new" });
    expect(await subAgents.deleteStrangers(undefined, new AbortController().signal)).toEqual([]);
    expect(await subAgents.list()).toEqual([agent]);
  });

  it("that are being created when strangers are looked for are none", async () => {
    const { plane, subAgents } = await connected();
    let answerNow = () => {};
    const held = new Promise<void>((resolve) => {
      answerNow = resolve;
    });
    plane.answer("CreateSubAgent", async (_request, { handle }) => {
      const created = await handle();
      await held;
      return created;
    });
    plane.answer("ListSubAgents", async (_request, { handle }) => {
      const all = await handle();
      setTimeout(answerNow, 5);
      return all;
    });
    const creating = subAgents.create({ directory: "/new" });
    const workspaceId = (await plane.store.agent(plane.agent.id))?.workspaceId ?? "";
    await plane.waitFor("it is there", async () => (await plane.store.agents(workspaceId)).length === 2);
    expect(await subAgents.deleteStrangers(undefined, new AbortController().signal)).toEqual([]);
    expect(await subAgents.list()).toEqual([(await creating).agent]);
  });

  it("that could not be deleted at the end are strangers to the next life", async () => {
    const { plane, subAgents } = await connected();
    await subAgents.create({ directory: "/a" });
    plane.fail("DeleteSubAgent", "away");
    expect(await subAgents.deleteCreated()).toEqual(["sub-agent a: away"]);
    await subAgents.deleteStrangers(undefined, new AbortController().signal);
    expect(await subAgents.list()).toEqual([]);
  });

  it("know that their connection has gone", async () => {
    const { connection } = await connected();
    const subAgents = new SubAgents();
    const part = subAgentsPart({ tell: () => {} } as never, subAgents);
    await part.onConnection?.(connection, new AbortController().signal);
    expect(await subAgents.list()).toEqual([]);
    await connection.close();
    await expect(subAgents.list()).rejects.toThrow("the agent is not connected");
  });

  it("all end with their agent (C4.81)", async () => {
    const { subAgents } = await connected();
    await subAgents.create({ directory: "/a" });
    await subAgents.create({ directory: "/b" });
    expect(await subAgents.deleteCreated()).toEqual([]);
    expect(await subAgents.list()).toEqual([]);
  });

  it("without a connection are an error that says so", async () => {
    await expect(new SubAgents().create({ directory: "/a" })).rejects.toThrow("the agent is not connected");
  });
});

describe("automatic names", () => {
  it.each([
    ["/home/ada/My Project!", ["my-project", "ada-my-project", "home-ada-my-project"]],
    ["/", ["workspace"]],
    ["/a/b/c/d/e/f/g", ["g", "f-g", "e-f-g", "d-e-f-g", "c-d-e-f-g"]],
    [`/x/${"n".repeat(70)}`, ["n".repeat(64)]],
  ])("of %s are %j", (directory, names) => {
    expect(automaticNames(directory)).toEqual(names);
  });
});
