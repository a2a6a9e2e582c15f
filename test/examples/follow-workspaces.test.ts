import { expect, it } from "vitest";
import { followOwner } from "../../examples/follow-workspaces.js";
import { tailnetServer, token } from "../client/tailnet/tailnet-server.js";
import { eventually } from "../support/control-plane.js";

const ownerId = "00000000-0000-4000-8000-000000000001";
const bytes = (text: string) => Buffer.from(text.replaceAll("-", ""), "hex");
const workspaceId = bytes("00000000-0000-4000-8000-000000000002");

it("examples/follow-workspaces.ts tells of workspaces as they change, until it is stopped", async () => {
  const server = await tailnetServer();
  const told: string[] = [];
  const stop = new AbortController();
  const target = { url: server.url, token };
  const following = followOwner(target, ownerId, (text) => void told.push(text), stop.signal);
  const first = (await server.client(1)).workspacesOf(bytes(ownerId));
  first.say({});
  await eventually(() => told.length === 1, "the first state");
  first.say({
    upsertedWorkspaces: [{ id: workspaceId, name: "dev", status: 2 }],
    upsertedAgents: [{ id: bytes(ownerId), name: "main", workspaceId }],
  });
  await eventually(() => told.length === 2, "the second state");
  expect(told).toEqual(["no workspaces", "dev (starting): main"]);
  stop.abort();
  await following;
  await eventually(() => server.sessions() === 0, "the end of the connection");
});

it("examples/follow-workspaces.ts ends with the server's refusal", async () => {
  const server = await tailnetServer();
  const refused = followOwner({ url: server.url, token: "wrong" }, ownerId, () => {});
  await expect(refused).rejects.toThrow("status 401: You are signed out.");
});

it("examples/follow-workspaces.ts says why there is nothing to tell", async () => {
  const told: string[] = [];
  const stop = new AbortController();
  const following = followOwner(
    { url: "http://127.0.0.1:1", token },
    ownerId,
    (text) => void told.push(text),
    stop.signal,
  );
  await eventually(() => told.length > 0, "the reason");
  expect(told[0]).toMatch(/^no connection: .*127\.0\.0\.1:1.*; trying again in \d+ ms$/);
  stop.abort();
  await following;
});
