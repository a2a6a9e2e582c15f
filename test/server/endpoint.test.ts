import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { dialAgent } from "../../src/client/index-node.js";
import { createServiceClient } from "../../src/rpc/index.js";
import { ApiError, attachRpc, createAgentApi, MemoryStore } from "../../src/server/index.js";
import { EchoService } from "../gen/agentwire/test/v1/echo_pb.js";
import { controlPlane, dialled, eventually, token } from "../support/control-plane.js";
import { echoRoutes } from "../support/echo.js";
import { type RawAnswer, rawRequest, upgradeLines } from "../support/raw-http.js";
import { vectors } from "../support/vectors.js";

interface Recorded {
  name: string;
  status: number;
  headers: Record<string, string>;
  json?: unknown;
  text?: string;
}

const recorded = new Map(vectors<Recorded[]>("http").map((entry) => [entry.name, entry]));
const path = "/api/v2/workspaceagents/me/rpc";
const auth = `Coder-Session-Token: ${token}`;

/** The requests behind the recorded answers. */
const requests: Record<string, string[]> = {
  "rpc: no token": upgradeLines(path),
  "rpc: token not a uuid": upgradeLines(path, "Coder-Session-Token: nope"),
  "rpc: unknown uuid token": upgradeLines(path, "Coder-Session-Token: 00000000-0000-4000-8000-000000000001"),
  "rpc: a user token": upgradeLines(path, "Coder-Session-Token: abcdefghij-0123456789012345678901"),
  ...Object.fromEntries(
    ["1.0", "2.99", "2.11", "3.0", "abc", "2", "2.x", "x.1", "2.1.0", "-1.0"].map((version) => [
      `rpc: version=${version}`,
      upgradeLines(`${path}?version=${version}`, auth),
    ]),
  ),
  "rpc: version= ": upgradeLines(`${path}?version=%20`, auth),
  "rpc: missing version (= 2.0): upgrade accepted": upgradeLines(path, auth),
  "rpc: version= (empty, = 2.0)": upgradeLines(`${path}?version=`, auth),
  "rpc: version=2.10 role=agent": upgradeLines(`${path}?version=2.10&role=agent`, auth),
  "rpc: version=2.010": upgradeLines(`${path}?version=2.010`, auth),
  "rpc: token in Cookie": upgradeLines(path, `Cookie: a=b; coder_session_token=${token}`),
  "rpc: token in query": upgradeLines(`${path}?coder_session_token=${token}`),
  "rpc: token as Authorization: Bearer": upgradeLines(path, `Authorization: bearer  ${token} `),
  "rpc: plain GET, no upgrade": [`GET ${path} HTTP/1.1`, auth],
  "rpc: permessage-deflate offered": upgradeLines(path, auth, "Sec-WebSocket-Extensions: permessage-deflate"),
  "rpc: subprotocol offered": upgradeLines(path, auth, "Sec-WebSocket-Protocol: chat"),
  "rpc: foreign Origin": upgradeLines(path, auth, "Host: 127.0.0.1:3900", "Origin: https://evil.test"),
  "rpc: POST": [`POST ${path} HTTP/1.1`, auth, "Content-Length: 0"],
  "GET unknown endpoint": ["GET /api/v2/workspaceagents/me/nope HTTP/1.1", auth],
};

/** What is compared: status, the recorded headers, and the JSON or text where one was recorded. */
function shown({ status, headers, body }: RawAnswer, entry: Recorded) {
  const names = Object.keys(entry.headers);
  const hasText = entry.text !== undefined && status !== 101 && status !== 405;
  return {
    status,
    headers: Object.fromEntries(names.map((name) => [name, headers[name.toLowerCase()]])),
    json: "json" in entry ? (JSON.parse(body) as unknown) : undefined,
    text: hasText ? body.trimEnd() : undefined,
  };
}

describe("S1 the endpoint answers as the recorded control plane", () => {
  it.each(Object.keys(requests))("%s", async (name) => {
    const plane = await controlPlane();
    const entry = recorded.get(name);
    if (entry === undefined) throw new Error(`no recording of ${name}`);
    const answer = await rawRequest(plane.url, requests[name] ?? []);
    const hasText = entry.status !== 101 && entry.status !== 405;
    expect(shown(answer, entry)).toEqual({
      status: entry.status,
      headers: entry.headers,
      json: entry.json,
      text: hasText ? entry.text : undefined,
    });
  });

  it("covers every recording about the RPC", () => {
    const missing = [...recorded.keys()].filter((name) => name.startsWith("rpc:") && !(name in requests));
    expect(missing).toEqual([]);
  });

  it("carries the headers of every answer, and no body is over 1,024 bytes (S1.2, C1.14)", async () => {
    const plane = await controlPlane();
    for (const lines of [
      upgradeLines(path),
      upgradeLines(`${path}?version=9.9`, auth),
      [`GET ${path} HTTP/1.1`, auth],
    ]) {
      const { headers, body } = await rawRequest(plane.url, lines);
      expect(headers["x-coder-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
      expect(headers["x-coder-build-version"]).toBeDefined();
      expect(headers["x-content-type-options"]).toBe("nosniff");
      expect(Buffer.byteLength(body)).toBeLessThan(1024);
    }
  });

  it("takes the token from the first of five places that has one (S1.6)", async () => {
    const plane = await controlPlane();
    const status = async (query: string, ...headers: string[]) =>
      (await rawRequest(plane.url, upgradeLines(path + query, ...headers))).status;
    const wrong = "00000000-0000-4000-8000-000000000001";
    expect(await status(`?access_token=%20${token}%20`)).toBe(101);
    expect(await status("", `Coder-Session-Token: ${token.toUpperCase()}`)).toBe(101);
    expect(await status("", `Coder-Session-Token: {${token}}`)).toBe(101);
    expect(await status("", `Coder-Session-Token: ${token.replaceAll("-", "")}`)).toBe(101);
    // each place wins over the next one
    expect(await status(`?coder_session_token=${wrong}`, `Cookie: coder_session_token=${token}`)).toBe(101);
    expect(await status(`?coder_session_token=${token}`, `Coder-Session-Token: ${wrong}`)).toBe(101);
    expect(await status("", auth, `Authorization: Bearer ${wrong}`)).toBe(101);
    expect(await status(`?access_token=${wrong}`, `Authorization: Bearer ${token}`)).toBe(101);
    expect(await status(`?access_token=${token}`, `Authorization: Bearer ${wrong}`)).toBe(401);
  });

  it("asks who it is before it looks at the version (S1.22)", async () => {
    const plane = await controlPlane();
    expect((await rawRequest(plane.url, upgradeLines(`${path}?version=3.0`))).status).toBe(401);
  });

  it("refuses handshakes that are none, after token and version (S1.25)", async () => {
    const plane = await controlPlane();
    const text = async (lines: string[]) => {
      const { status, body } = await rawRequest(plane.url, lines);
      return `${status} ${body.split("\n")[0]}`;
    };
    const without = (header: string) => upgradeLines(path, auth).filter((line) => !line.startsWith(header));
    expect(await text([...without("Sec-WebSocket-Version"), "Sec-WebSocket-Version: 8"])).toBe(
      '400 unsupported WebSocket protocol version (only 13 is supported): "8"',
    );
    expect(await text(without("Sec-WebSocket-Key"))).toBe(
      "400 WebSocket protocol violation: missing Sec-WebSocket-Key",
    );
    expect(await text([...without("Sec-WebSocket-Key"), "Sec-WebSocket-Key: short"])).toBe(
      '400 WebSocket protocol violation: invalid Sec-WebSocket-Key "short", must be a 16 byte base64 encoded string',
    );
    expect(await text([...without("Upgrade"), "Upgrade: h2c"])).toBe(
      '426 WebSocket protocol violation: Upgrade header "h2c" does not contain websocket',
    );
    const origin = new URL(plane.url).origin.toUpperCase().replace("HTTP", "http");
    expect((await rawRequest(plane.url, upgradeLines(path, auth, `Origin: ${origin}`))).status).toBe(101);
  });
});

describe("S1.4 paths beside the RPC", () => {
  it("are asked for the token first, then for the route, then for the method", async () => {
    const plane = await controlPlane();
    const me = "/api/v2/workspaceagents/me";
    expect((await rawRequest(plane.url, [`GET ${me}/nope HTTP/1.1`])).status).toBe(401);
    expect((await rawRequest(plane.url, [`GET ${me}/nope HTTP/1.1`, auth])).body).toBe(
      '{"message":"Route not found."}\n',
    );
    expect((await rawRequest(plane.url, [`GET ${me}/log-source HTTP/1.1`, auth])).status).toBe(405);
    expect((await rawRequest(plane.url, ["GET /elsewhere HTTP/1.1"])).status).toBe(404);
    expect((await rawRequest(plane.url, upgradeLines("/elsewhere", auth))).status).toBe(404);
  });

  it("register a log source, and again (S5.15, S5.16)", async () => {
    const plane = await controlPlane();
    const body = JSON.stringify({
      id: "11111111-2222-4333-8444-555555555555",
      display_name: "My source",
      icon: "/i.svg",
    });
    const post = () =>
      rawRequest(
        plane.url,
        ["POST /api/v2/workspaceagents/me/log-source HTTP/1.1", auth, `Content-Length: ${body.length}`],
        body,
      );
    for (let i = 0; i < 2; i++) {
      const answer = await post();
      expect(answer.status).toBe(201);
      expect(JSON.parse(answer.body)).toMatchObject({
        workspace_agent_id: plane.agents[0]?.id,
        id: "11111111-2222-4333-8444-555555555555",
        display_name: "My source",
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
      });
    }
    const sources = await plane.store.logSources(plane.agents[0]?.id ?? "");
    expect(sources.map(({ displayName }) => displayName)).toEqual(["My source"]);
    const bad = await rawRequest(
      plane.url,
      ["POST /api/v2/workspaceagents/me/log-source HTTP/1.1", auth, "Content-Length: 5"],
      '{"id"',
    );
    expect(bad.status).toBe(400);
    expect(JSON.parse(bad.body)).toEqual({
      message: "Request body must be valid JSON.",
      detail: "unexpected EOF",
    });
  });
});

/** An HTTP server of somebody, which ends with the test. */
async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("mounting on somebody's server", () => {
  it("serves own handlers on dRPC with attachRpc, and leaves other requests where they were", async () => {
    const server = createServer((_request, response) => response.end("the app"));
    const sessions: string[] = [];
    const endpoint = attachRpc(server, {
      authenticate: ({ token: given }) => {
        if (given !== "sesame") throw new ApiError(401, "Who are you?", { detail: "say sesame" });
        return { name: "tester" };
      },
      routes: echoRoutes,
      onSession: ({ identity, role, apiVersion }) => {
        sessions.push(`${identity.name} ${role} ${apiVersion}`);
        return (end) => sessions.push(`end ${end.code}`);
      },
    });
    const url = await listening(server);
    expect(await (await fetch(url)).text()).toBe("the app");
    await expect(dialAgent({ url, token: "wrong" })).rejects.toMatchObject({
      status: 401,
      reason: "Who are you?",
      detail: "say sesame",
    });
    const connection = await dialAgent({ url, token: "sesame", role: "tool", version: "2.3" });
    const echo = createServiceClient(EchoService, connection.transport);
    expect((await echo.unary({ payload: Buffer.from("hi") })).payload).toHaveLength(2);
    expect(endpoint.sessionCount).toBe(1);
    await connection.close();
    await eventually(() => sessions.length === 2);
    expect(sessions).toEqual(["tester tool 2.3", "end closed-by-peer"]);
    await endpoint.close();
    expect(await (await fetch(url)).text()).toBe("the app");
    expect((await fetch(`${url}${path}`)).status).toBe(200);
  });

  it("tells nobody why its own code failed", async () => {
    const server = createServer();
    attachRpc(server, {
      authenticate: () => {
        throw new Error("password of the database is hunter2");
      },
      routes: echoRoutes,
    });
    const error = await dialAgent({ url: await listening(server), token: "x" }).catch((e: unknown) => e);
    expect(error).toMatchObject({ status: 500, reason: "An internal server error occurred." });
    expect(String(error)).not.toContain("hunter2");
  });

  it("serves all handlers on an own store with createAgentApi, and takes them off again", async () => {
    const server = createServer((_request, response) => response.end("the app"));
    const store = new MemoryStore();
    await store.define([{ owner: "ada", name: "dev", agents: [{ name: "main", token }] }]);
    const api = createAgentApi({ store });
    const detach = api.attach(server);
    const url = await listening(server);
    const connection = await dialled({ url });
    expect((await connection.agent.getManifest({})).workspaceName).toBe("dev");
    await connection.close();
    await api.close();
    detach();
    expect(await (await fetch(`${url}${path}`)).text()).toBe("the app");
  });

  it("ends its sessions in order when it is closed: calls under way get their time", async () => {
    let finish = () => {};
    const server = createServer();
    const endpoint = attachRpc(server, {
      authenticate: () => ({}),
      routes: (router) =>
        router.service(EchoService, {
          unary: () =>
            new Promise((resolve) => {
              finish = () => resolve({ payload: Buffer.from("done") });
            }),
        }),
    });
    const connection = await dialAgent({ url: await listening(server), token: "x" });
    const call = createServiceClient(EchoService, connection.transport).unary({});
    await new Promise((resolve) => setTimeout(resolve, 50));
    const closing = endpoint.close(5000);
    await connection.ping();
    finish();
    expect(Buffer.from((await call).payload).toString()).toBe("done");
    await closing;
    expect((await connection.closed).code).toBe("closed-by-peer");
  });
});
