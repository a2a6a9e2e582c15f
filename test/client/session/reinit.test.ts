import { expect, it, onTestFinished } from "vitest";
import { connectAgent, type ReinitEvent } from "../../../src/client/index-node.js";
import { testPlane } from "../../support/test-plane.js";

it("C1.68 a session of a prebuilt workspace dials anew when that is given to somebody, and fetches the manifest again", async () => {
  const plane = await testPlane({
    workspaces: [{ owner: "", name: "p", isPrebuilt: true, agents: [{ name: "main" }] }],
  });
  const owners: string[] = [];
  const reinits: ReinitEvent[] = [];
  const session = connectAgent({
    ...plane.agent.target,
    proxy: false,
    backoff: { firstMs: 1, maxMs: 5 },
    reinit: true,
    onReinit: (event) => reinits.push(event),
    onConnected: async ({ agent }, signal) => {
      owners.push((await agent.getManifest({}, { signal })).ownerUsername);
    },
  });
  onTestFinished(() => session.close().then(() => {}));
  await plane.waitFor("the first manifest", () => owners.length === 1);
  await plane.waitFor("the wait for the claim", async () => (await plane.streamCount()) === 1);

  const mine = await plane.agent.claim("bob", "mine");
  await plane.waitFor("the new owner's manifest", () => owners.includes("bob"));
  const { workspaceId } = (await plane.store.agent(mine.id)) ?? {};
  const { ownerId } = (await plane.store.workspace(workspaceId ?? "")) ?? {};
  expect(ownerId).toBeDefined();
  expect(reinits).toEqual([{ workspaceId, ownerId, reason: "prebuild_claimed" }]);

  await session.close();
  await plane.waitFor("the end of the wait", async () => (await plane.streamCount()) === 0);
});

it("C1.67 an ordinary workspace has nothing to wait for, and its session lives on", async () => {
  const plane = await testPlane();
  const session = connectAgent({ ...plane.agent.target, proxy: false, reinit: true });
  onTestFinished(() => session.close().then(() => {}));
  const connection = await session.connected();
  await plane.waitFor("no stream", async () => (await plane.streamCount()) === 0);
  await connection.agent.getManifest({});
  expect(session.state.kind).toBe("connected");
});
