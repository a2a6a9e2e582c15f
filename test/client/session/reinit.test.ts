import { expect, it, onTestFinished } from "vitest";
import { connectAgent, type ReinitEvent } from "../../../src/client/index-node.js";
import { startControlPlane } from "../../../src/server/index.js";
import { controlPlane, eventually, token } from "../../support/control-plane.js";

it("C1.68 a session of a prebuilt workspace dials anew when that is given to somebody, and fetches the manifest again", async () => {
  const plane = await startControlPlane({
    workspaces: [{ owner: "", name: "p", isPrebuilt: true, agents: [{ name: "main", token }] }],
  });
  onTestFinished(() => plane.close());
  const owners: string[] = [];
  const reinits: ReinitEvent[] = [];
  const session = connectAgent({
    url: plane.url,
    token,
    proxy: false,
    backoff: { firstMs: 1, maxMs: 5 },
    reinit: true,
    onReinit: (event) => reinits.push(event),
    onConnected: async ({ agent }, signal) => {
      owners.push((await agent.getManifest({}, { signal })).ownerUsername);
    },
  });
  onTestFinished(() => session.close().then(() => {}));
  await eventually(() => owners.length === 1, "the first manifest");
  await eventually(() => plane.api.streamCount === 1, "the wait for the claim");

  const workspaceId = (await plane.store.agent(plane.agents[0]?.id ?? ""))?.workspaceId ?? "";
  await plane.store.claim(workspaceId, "bob", "mine");
  const ownerId = (await plane.store.workspace(workspaceId))?.ownerId;
  plane.events.publish({ topic: "claim", workspaceId, ownerId, reason: "prebuild_claimed" });
  await eventually(() => owners.includes("bob"), "the new owner's manifest");
  expect(reinits).toEqual([{ workspaceId, ownerId, reason: "prebuild_claimed" }]);

  await session.close();
  await eventually(() => plane.api.streamCount === 0, "the end of the wait");
});

it("C1.67 an ordinary workspace has nothing to wait for, and its session lives on", async () => {
  const plane = await controlPlane();
  const session = connectAgent({ url: plane.url, token, proxy: false, reinit: true });
  onTestFinished(() => session.close().then(() => {}));
  const connection = await session.connected();
  await eventually(() => plane.api.streamCount === 0, "no stream");
  await connection.agent.getManifest({});
  expect(session.state.kind).toBe("connected");
});
