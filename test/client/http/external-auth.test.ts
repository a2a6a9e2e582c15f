import { Code } from "@connectrpc/connect";
import { describe, expect, it, vi } from "vitest";
import { type ExternalAuthRequest, fetchExternalAuth } from "../../../src/client/index-node.js";
import type { ExternalAuthLink } from "../../../src/server/index.js";
import { controlPlane, token } from "../../support/control-plane.js";
import { failure } from "../../support/echo.js";
import { silentServer } from "../../support/http-servers.js";
import { recordedServer } from "./recorded.js";

const expiresAt = new Date("2100-01-01T00:00:00Z");

/** A control plane whose owner has linked, or not yet. */
async function withLink(link: Partial<ExternalAuthLink> | undefined) {
  const state = { link };
  const plane = await controlPlane(
    {},
    {
      accessUrl: "https://dev.example.com",
      externalAuth: {
        providers: [{ id: "github", type: "github", urlPattern: "github\\.com", validate: async () => true }],
        link: async (ownerId) =>
          state.link && {
            ownerId,
            providerId: "github",
            accessToken: "a-token",
            refreshToken: "",
            expiresAtUs: undefined,
            extra: undefined,
            refreshRefused: undefined,
            ...state.link,
          },
        saveLink: async () => {},
      },
    },
  );
  const ask = (more: Partial<ExternalAuthRequest>) => fetchExternalAuth({ url: plane.url, token, ...more });
  return { state, ask };
}

const linked = {
  accessToken: "a-token",
  tokenExtra: undefined,
  url: "",
  type: "github",
  expiresAt: undefined,
  username: "a-token",
  password: "",
};

describe("C1.45 a token for another service", () => {
  it("comes from a control plane, by id and by URL", async () => {
    const { ask } = await withLink({});
    expect(await ask({ id: "github" })).toEqual(linked);
    expect(await ask({ match: "https://github.com/a/b" })).toEqual(linked);
  });

  it("has its expiry, and what else came with it", async () => {
    const { ask } = await withLink({ expiresAtUs: expiresAt.getTime() * 1000, extra: { scope: "repo" } });
    expect(await ask({ id: "github" })).toMatchObject({ expiresAt, tokenExtra: { scope: "repo" } });
  });

  it("is where to link, for who has not, as recorded", async () => {
    const { ask } = await withLink(undefined);
    const nothing = { accessToken: "", tokenExtra: undefined, type: "", expiresAt: undefined, username: "" };
    expect(await ask({ id: "github" })).toMatchObject({
      ...nothing,
      url: "https://dev.example.com/external-auth/github",
    });
    const { url } = await recordedServer("GET external-auth?match=");
    expect(await fetchExternalAuth({ url, token, match: "https://github.com/a/b" })).toMatchObject({
      ...nothing,
      url: "http://127.0.0.1:3900/external-auth/github",
    });
  });

  it("is waited for with listen", async () => {
    const { ask, state } = await withLink(undefined);
    const waiting = ask({ id: "github", listen: true });
    setTimeout(() => {
      state.link = {};
    }, 50);
    expect(await waiting).toEqual(linked);
  });

  it("has no time-out with listen but what it is given, and ends with its signal", async () => {
    const { url } = await silentServer();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const ends: string[] = [];
      const abort = new AbortController();
      const ask = (more: Partial<ExternalAuthRequest>) =>
        failure(fetchExternalAuth({ url, token, id: "x", ...more })).then(({ code }) =>
          ends.push(Code[code]),
        );
      const asked = [
        ask({}),
        ask({ listen: true, timeoutMs: 60_000 }),
        ask({ listen: true, signal: abort.signal }),
      ];
      await vi.advanceTimersByTimeAsync(30_000);
      await asked[0];
      expect(ends).toEqual(["DeadlineExceeded"]);
      await vi.advanceTimersByTimeAsync(3_600_000);
      await asked[1];
      expect(ends).toEqual(["DeadlineExceeded", "DeadlineExceeded"]);
      abort.abort();
      await asked[2];
      expect(ends[2]).toBe("Canceled");
    } finally {
      vi.useRealTimers();
    }
  });

  it.each<[Partial<ExternalAuthRequest>, string]>([
    [{}, "id=&match="],
    [{ id: "github" }, "id=github&match="],
    [{ match: "https://github.com/a b" }, "id=&match=https%3A%2F%2Fgithub.com%2Fa+b"],
    [{ id: "x", listen: false, gitBranch: "", gitRemoteOrigin: "", chatId: "" }, "id=x&match="],
    [
      { match: "m", listen: true, gitBranch: "main", gitRemoteOrigin: "git@h:r", chatId: "c" },
      "chat_id=c&git_branch=main&git_remote_origin=git%40h%3Ar&id=&listen=true&match=m",
    ],
  ])("is asked for with %j as %s (C1.48)", async (asked, query) => {
    const server = await recordedServer("GET external-auth?match=");
    await fetchExternalAuth({ url: server.url, token, ...asked });
    expect(server.asked[0]?.line).toBe(`GET /api/v2/workspaceagents/me/external-auth?${query}`);
  });

  it("that is refused has the server's words", async () => {
    const { ask } = await withLink({});
    expect(await failure(ask({}))).toMatchObject({ status: 400, reason: "'url' or 'id' must be provided!" });
    expect(await failure(ask({ id: "nope" }))).toMatchObject({ status: 404 });
  });

  const good = {
    access_token: "secret-token",
    token_extra: null,
    url: "",
    type: "",
    expires_at: "0001-01-01T00:00:00Z",
    username: "",
    password: "",
  };
  it.each([
    [{ access_token: 1 }, "the answer's access_token is not a text"],
    [{ token_extra: [1] }, "the answer's token_extra is not an object"],
    [{ expires_at: "soon" }, "the answer's expires_at is not a time"],
    [{ expires_at: 5 }, "the answer's expires_at is not a time"],
    [{ password: null }, "the answer's password is not a text"],
  ])("with %j is an error that shows nothing of it", async (wrong, reason) => {
    const { url } = await recordedServer({ json: { ...good, ...wrong } });
    const error = await failure(fetchExternalAuth({ url, token, id: "x" }));
    expect(error).toMatchObject({ code: Code.Internal, reason });
    expect(String(error.stack)).not.toContain("secret-token");
  });

  it.each([undefined, null, "0001-01-01T00:00:00Z"])("without an expiry (%j) does not expire", async (at) => {
    const { url } = await recordedServer({ json: { ...good, expires_at: at } });
    expect((await fetchExternalAuth({ url, token, id: "x" })).expiresAt).toBeUndefined();
  });
});
