import { Code } from "@connectrpc/connect";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { WebSocket as WsWebSocket } from "ws";
import { DialError, dialAgent, type WebDialOptions } from "../../../src/client/index.js";
import { controlPlane, token } from "../../support/control-plane.js";
import { failure } from "../../support/echo.js";
import { httpServer, refusingServer, silentServer } from "../../support/http-servers.js";

beforeEach(() => {
  // runtimes before Node 22 have none; that of `ws` has the same face
  if (globalThis.WebSocket === undefined) vi.stubGlobal("WebSocket", WsWebSocket);
});

afterEach(() => {
  vi.unstubAllGlobals();
});

async function connected(options: WebDialOptions) {
  const connection = await dialAgent(options);
  onTestFinished(() => connection.close());
  return connection;
}

async function refusal(options: WebDialOptions): Promise<DialError> {
  const error = await failure(dialAgent(options));
  expect(error).toBeInstanceOf(DialError);
  expect(String(error.stack)).not.toContain(token);
  return error as DialError;
}

describe("a dial with the runtime's own WebSocket", () => {
  it("works, with the token in the query", async () => {
    const plane = await controlPlane();
    const connection = await connected({ url: plane.url, token });
    expect(connection.version).toEqual({ major: 2, minor: 10 });
    expect((await connection.agent.getManifest({})).agentName).toBe("main");
    for await (const map of connection.tailnet.streamDERPMaps({})) {
      expect(map.homeParams).toBeDefined();
      break;
    }
  });

  it("asks first, with a plain GET, and takes the version that the server names", async () => {
    const plane = await controlPlane({}, { serverVersion: { major: 2, minor: 4 } });
    const connection = await connected({ url: plane.url, token });
    expect(connection.version).toEqual({ major: 2, minor: 4 });
  });

  it("has status, message and detail of a refusal, which its WebSocket does not show", async () => {
    const plane = await controlPlane();
    const error = await refusal({ url: plane.url, token: "11111111-1b7d-4e0a-9c55-0d1f2b3a4c5d" });
    expect(error).toMatchObject({ status: 401, code: Code.Unauthenticated });
  });

  it("shows a refusal that repeats the token without it", async () => {
    const { url } = await httpServer((request, response) => response.writeHead(400).end(`<p>${request.url}`));
    const error = await refusal({ url, token });
    expect(error.detail).toContain("coder_session_token=[hidden]");
    expect(JSON.stringify(error)).not.toContain(token);
  });

  it("says of a fixed version only that it was refused, for more it cannot see", async () => {
    const { url } = await refusingServer(401, "{}");
    const error = await refusal({ url, token, version: "2.3" });
    expect(error).toMatchObject({ status: undefined, code: Code.Unavailable });
    expect(error.reason).toContain("this runtime does not show more");
  });

  it("does not ask where the version is fixed", async () => {
    const requests: string[] = [];
    const { server, url } = await httpServer((request, response) => {
      requests.push(`GET ${request.url}`);
      response.writeHead(500).end();
    });
    server.on("upgrade", (request, socket) => {
      requests.push(`upgrade ${request.url}`);
      socket.destroy();
    });
    await refusal({ url, token, version: "2.3", role: "my-tool", tokenIn: "cookie" });
    expect(requests).toEqual(["upgrade /api/v2/workspaceagents/me/rpc?role=my-tool&version=2.3"]);
  });

  it("says what to do where it may not ask", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("blocked by CORS")));
    const plane = await controlPlane();
    const error = await refusal({ url: plane.url, token });
    expect(error.reason).toContain("blocked by CORS");
    expect(error.reason).toContain("dial with a fixed `version`");
    const connection = await connected({ url: plane.url, token, version: "2.10" });
    expect((await connection.agent.getManifest({})).agentName).toBe("main");
  });

  it("refuses headers, which it cannot send, instead of leaving them out", async () => {
    const plane = await controlPlane();
    const error = await refusal({ url: plane.url, token, version: "2.10", headers: { "X-One": "1" } });
    expect(error).toMatchObject({ code: Code.InvalidArgument });
  });

  it("ends in time, and with its signal", async () => {
    const { url } = await silentServer();
    expect(await refusal({ url, token, version: "2.10", openTimeoutMs: 50 })).toMatchObject({
      code: Code.DeadlineExceeded,
    });
    expect(await refusal({ url, token, openTimeoutMs: 50 })).toMatchObject({ code: Code.DeadlineExceeded });
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 20);
    expect(await refusal({ url, token, signal: abort.signal })).toMatchObject({ code: Code.Canceled });
  });
});
