import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { fetchGitSshKey, HttpError } from "../../../src/client/index-node.js";
import { controlPlane, token } from "../../support/control-plane.js";
import { failure } from "../../support/echo.js";
import { recordedServer } from "./recorded.js";

describe("C1.41 the SSH key of the workspace's owner", () => {
  it("comes from a control plane", async () => {
    const key = { publicKey: "ssh-ed25519 AAAA", privateKey: "-----BEGIN-----" };
    const plane = await controlPlane({}, { gitSshKeys: { keyOf: async () => key } });
    expect(await fetchGitSshKey({ url: plane.url, token })).toEqual(key);
  });

  it("comes as recorded", async () => {
    const { url, asked } = await recordedServer("GET gitsshkey");
    expect(await fetchGitSshKey({ url, token })).toEqual({ publicKey: "…", privateKey: "…" });
    expect(asked[0]).toMatchObject({
      line: "GET /api/v2/workspaceagents/me/gitsshkey",
      headers: { "coder-session-token": token },
      body: "",
    });
    expect(asked[0]?.headers).not.toHaveProperty("content-type");
  });

  it("that the owner has not is an error with the server's words", async () => {
    const plane = await controlPlane({}, { gitSshKeys: { keyOf: async () => undefined } });
    expect(await failure(fetchGitSshKey({ url: plane.url, token }))).toMatchObject({
      status: 500,
      detail: "the workspace's owner has no key",
    });
  });

  it.each([
    [null, "the answer is not a JSON object"],
    [["secret-key"], "the answer is not a JSON object"],
    [{ private_key: "secret-key" }, "the answer's public_key is not a text"],
    [{ public_key: "p", private_key: { secret: "secret-key" } }, "the answer's private_key is not a text"],
  ])("that is %j is an error that shows nothing of it", async (json, reason) => {
    const { url } = await recordedServer({ json });
    const error = await failure(fetchGitSshKey({ url, token }));
    expect(error).toBeInstanceOf(HttpError);
    expect(error).toMatchObject({ code: Code.Internal, reason });
    expect(error.rawMessage).toBe(`GET ${url}/api/v2/workspaceagents/me/gitsshkey: ${reason}`);
    expect(String(error.stack)).not.toContain("secret-key");
  });
});
