import { describe, expect, it } from "vitest";
import { AppStatusState, patchAppStatus } from "../../../src/client/index-node.js";
import { token } from "../../support/control-plane.js";
import { failure } from "../../support/echo.js";
import { testPlane } from "../../support/test-plane.js";
import { recordedServer } from "./recorded.js";

const status = { slug: "ai", state: AppStatusState.IDLE, message: "waiting" };

describe("C1.43 the status of an app", () => {
  it("is sent in these fields", async () => {
    const { url, asked } = await recordedServer("PATCH app-status");
    await patchAppStatus({ url, token, ...status });
    await patchAppStatus({ url, token, ...status, uri: "u", icon: "i", needsUserAttention: true });
    expect(asked.map(({ line }) => line)).toEqual(
      Array(2).fill("PATCH /api/v2/workspaceagents/me/app-status"),
    );
    const begin = '{"app_slug":"ai","state":"idle","message":"waiting",';
    expect(asked.map(({ body }) => body)).toEqual([
      `${begin}"uri":"","icon":"","needs_user_attention":false}\n`,
      `${begin}"uri":"u","icon":"i","needs_user_attention":true}\n`,
    ]);
  });

  it("is stored, in every state (C1.52)", async () => {
    const plane = await testPlane({ agent: { apps: [{ slug: "ai" }] } });
    const { WORKING, IDLE, COMPLETE, FAILURE } = AppStatusState;
    for (const state of [WORKING, IDLE, COMPLETE, FAILURE]) {
      await patchAppStatus({ ...plane.agent.target, ...status, state });
    }
    const states = ["working", "idle", "complete", "failure"];
    expect(await plane.agent.appStatuses()).toMatchObject(
      states.map((state) => ({ slug: "ai", state, message: "waiting" })),
    );
  });

  it("that is refused has the server's words", async () => {
    const plane = await testPlane({ agent: { apps: [{ slug: "ai" }] } });
    const sent = (more: object) => failure(patchAppStatus({ ...plane.agent.target, ...status, ...more }));
    expect(await sent({ message: "x".repeat(161) })).toMatchObject({
      status: 400,
      reason: "Message is too long.",
      validations: [{ field: "message" }],
    });
    expect(await sent({ slug: "none" })).toMatchObject({
      status: 400,
      reason: "Failed to get workspace app.",
    });
  });

  it("in a state that there is not is not sent", async () => {
    const { url, asked } = await recordedServer("PATCH app-status");
    const state = 7 as AppStatusState;
    expect((await failure(patchAppStatus({ url, token, ...status, state }))).message).toBe(
      "Invalid state: 7",
    );
    expect(asked).toEqual([]);
  });
});
