import { getEventListeners } from "node:events";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { WebSocket as WsWebSocket } from "ws";
import { dialTailnet as dialFromBrowser } from "../../../src/client/index.js";
import { DialError, dialTailnet } from "../../../src/client/index-node.js";
import { failure } from "../../support/echo.js";
import { httpServer, refusingServer } from "../../support/http-servers.js";
import { tailnetServer, token } from "./tailnet-server.js";

const agentId = "3c9d1e52-7a40-4f1b-8e6d-90ab12cd34ef";
const resumeToken = "resume-me-please-0123456789";

describe("a dial of the tailnet service", () => {
  it("goes to the user's endpoint, with version 2.3 and no role (C9.14)", async () => {
    const { url, upgrades } = await refusingServer(401, "{}");
    await failure(dialTailnet({ url, token }));
    await failure(dialTailnet({ url, token, version: "2.0", resumeToken: "a+b" }));
    await failure(dialTailnet({ url: `${url}/some/prefix/?x=1`, token, version: "negotiate" }));
    expect(upgrades).toEqual([
      { url: "/api/v2/tailnet?version=2.3", token },
      { url: "/api/v2/tailnet?resume_token=a%2Bb&version=2.0", token },
      { url: "/some/prefix/api/v2/tailnet?version=2.10", token },
    ]);
  });

  it("goes to the endpoint of one agent where it is for that (S4.35)", async () => {
    const { url, upgrades } = await refusingServer(404, "{}");
    await failure(dialTailnet({ url, token, agentId: agentId.toUpperCase() }));
    expect(upgrades[0]?.url).toBe(`/api/v2/workspaceagents/${agentId}/coordinate?version=2.3`);
    await expect(dialTailnet({ url, token, agentId: "me/rpc?" })).rejects.toThrow(
      'agentId is a UUID, and not "me/rpc?"',
    );
  });

  it("gives a connection that works", async () => {
    const server = await tailnetServer();
    const connection = await dialTailnet({ url: server.url, token });
    onTestFinished(() => connection.close());
    expect(connection.version).toEqual({ major: 2, minor: 3 });
    expect(await connection.ping()).toBeGreaterThan(0);
    expect((await connection.tailnet.refreshResumeToken({})).token).toBe("resume-1");
    expect([connection.supports("workspaceUpdates"), connection.supports("updateAppStatus")]).toEqual([
      true,
      false,
    ]);
    expect(connection).not.toHaveProperty("agent");
  });

  it("negotiates where it is asked to", async () => {
    const server = await tailnetServer({ serverVersion: { major: 2, minor: 4 } });
    const connection = await dialTailnet({ url: server.url, token, version: "negotiate" });
    onTestFinished(() => connection.close());
    expect(connection.version).toEqual({ major: 2, minor: 4 });
  });

  it("leaves no listener on its signal", async () => {
    const server = await tailnetServer();
    const { signal } = new AbortController();
    for (let i = 0; i < 3; i++) await (await dialTailnet({ url: server.url, token, signal })).close();
    await failure(dialTailnet({ url: server.url, token: "wrong", signal }));
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  it("that is refused shows neither token, even where the server repeats them", async () => {
    const body = { message: "no", detail: `got ${token} and ${resumeToken}` };
    const { url } = await refusingServer(401, JSON.stringify(body));
    const error = await failure(dialTailnet({ url, token, resumeToken }));
    expect(error).toBeInstanceOf(DialError);
    expect(error).toMatchObject({ status: 401, detail: "got [hidden] and [hidden]" });
    expect(inspect(error, { depth: 10 })).not.toContain(resumeToken);
    expect(inspect(error, { depth: 10 })).not.toContain(token);
  });
});

describe("a dial from a browser", () => {
  beforeEach(() => {
    if (globalThis.WebSocket === undefined) vi.stubGlobal("WebSocket", WsWebSocket);
  });

  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it("has the token in the query, or leaves it to the cookie", async () => {
    const urls: (string | undefined)[] = [];
    const { server, url } = await httpServer();
    server.on("upgrade", (request, socket) => {
      urls.push(request.url);
      socket.destroy();
    });
    await failure(dialFromBrowser({ url, token: "secret" }));
    await failure(dialFromBrowser({ url, token: "secret", tokenIn: "cookie" }));
    expect(urls).toEqual([
      "/api/v2/tailnet?version=2.3&coder_session_token=secret",
      "/api/v2/tailnet?version=2.3",
    ]);
  });

  it("works", async () => {
    const server = await tailnetServer();
    const connection = await dialFromBrowser({ url: server.url, token });
    onTestFinished(() => connection.close());
    expect((await connection.tailnet.refreshResumeToken({})).token).toBe("resume-1");
  });
});
