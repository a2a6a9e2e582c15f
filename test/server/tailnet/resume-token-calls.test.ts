import { Code } from "@connectrpc/connect";
import { expect, it } from "vitest";
import { MemorySigningKeys } from "../../../src/store/index.js";
import { controlPlane, dialled } from "../../support/control-plane.js";
import { peerId, userConnection } from "./user-calls.js";

const nowUs = 1_758_000_000_000_000;

it("S4.30 a user's connection gets a token of its peer, with its times", async () => {
  const { connection, deps } = await userConnection({ nowUs: () => nowUs });
  const { token, refreshIn, expiresAt } = await connection.tailnet.refreshResumeToken({});
  expect(await deps.resumeTokens.peerIdOf(token, "ada")).toBe(peerId);
  expect(refreshIn).toMatchObject({ seconds: 43_200n, nanos: 0 });
  expect(expiresAt).toMatchObject({ seconds: BigInt(nowUs / 1_000_000 + 86_400), nanos: 0 });
});

it("S4.30 tells why there is no token", async () => {
  const signingKeys = Object.assign(new MemorySigningKeys(), {
    insertSigningKey: () => Promise.reject(new Error("the disk is full")),
  });
  const { connection } = await userConnection({}, { signingKeys });
  await expect(connection.tailnet.refreshResumeToken({})).rejects.toMatchObject({
    rawMessage: "generate resume token: the disk is full",
  });
});

it("S4.3 an agent's connection has neither tokens nor workspace updates", async () => {
  const plane = await controlPlane();
  const { tailnet } = await dialled(plane);
  await expect(tailnet.refreshResumeToken({})).rejects.toMatchObject({
    rawMessage: "resume tokens not supported on agent sessions",
  });
  const updates = tailnet.workspaceUpdates({ workspaceOwnerId: new Uint8Array(16) });
  await expect(updates[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    rawMessage: "workspace updates not supported on agent sessions",
    code: Code.Unknown,
  });
});

it("S4.30 servers that share a store believe each other's tokens", async () => {
  const signingKeys = new MemorySigningKeys();
  const [one, other] = [await userConnection({}, { signingKeys }), await userConnection({}, { signingKeys })];
  const { token } = await one.connection.tailnet.refreshResumeToken({});
  expect(await other.deps.resumeTokens.peerIdOf(token, "ada")).toBe(peerId);
});
