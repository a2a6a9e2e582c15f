import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { refreshChatContext } from "../../../src/client/index-node.js";
import { controlPlane, token } from "../../support/control-plane.js";
import { failure } from "../../support/echo.js";
import { recordedServer } from "./recorded.js";

describe("C1.46 the context of chats", () => {
  it("is read again: by none in a control plane without chats, and as recorded", async () => {
    const plane = await controlPlane();
    expect(await refreshChatContext({ url: plane.url, token })).toBe(0);
    const { url, asked } = await recordedServer("POST experimental/chat-context/refresh");
    expect(await refreshChatContext({ url, token })).toBe(0);
    expect(asked[0]).toMatchObject({
      line: "POST /api/v2/workspaceagents/me/experimental/chat-context/refresh",
      headers: { "coder-session-token": token },
      body: "",
    });
  });

  it("is read again by as many as the server says", async () => {
    const { url } = await recordedServer({ json: { refreshed: 3 } });
    expect(await refreshChatContext({ url, token })).toBe(3);
  });

  it.each([{}, { refreshed: "3" }, { refreshed: 1.5 }, null])(
    "answered with %j is an error",
    async (json) => {
      const { url } = await recordedServer({ json });
      expect(await failure(refreshChatContext({ url, token }))).toMatchObject({ code: Code.Internal });
    },
  );
});
