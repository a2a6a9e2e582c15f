import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { RateLimit } from "../../../src/server/http/rate-limit.js";
import { requireFields } from "../../../src/server/http/request-body.js";
import { ApiError, createAgentApi, MemoryStore } from "../../../src/server/index.js";
import { eventually, token } from "../../support/control-plane.js";
import { adminToken, answered, httpApi, strangerToken } from "../../support/http-api.js";
import { rawRequest, upgradeLines } from "../../support/raw-http.js";

const me = "/api/v2/workspaceagents/me";
const auth = `Coder-Session-Token: ${token}`;
const noRoute = { message: "Route not found." };

describe("S1.2 every answer", () => {
  it("carries a request id of its own, the build and nosniff, streams and refusals too", async () => {
    const { me: ask, get, agentId } = await httpApi({}, { buildVersion: "v9", streamPingIntervalMs: 30 });
    const answers = [
      await ask("POST", "experimental/chat-context/refresh"),
      await ask("GET", "nope"),
      await ask("GET", "logs"),
      await get(`workspaceagents/${agentId}/logs`),
      await get("workspaceagents/nope"),
      await get("workspaceagents/x", "unknown"),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 404, 405, 200, 400, 401]);
    for (const { headers } of answers) {
      expect(headers.get("x-coder-request-id")).toMatch(/^[0-9a-f-]{36}$/);
      expect(headers.get("x-coder-build-version")).toBe("v9");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
    }
    expect(new Set(answers.map(({ headers }) => headers.get("x-coder-request-id"))).size).toBe(6);
  });

  it("writes <, > and & of a text as escapes, and ends with a newline (S1.5)", async () => {
    const { me: ask } = await httpApi();
    const { text, json } = await ask("PATCH", "app-status", { state: "<b>&" });
    expect(text).toBe(
      '{"message":"Failed to parse request.","detail":"Invalid state: \\u003cb\\u003e\\u0026"}\n',
    );
    expect(json).toEqual({ message: "Failed to parse request.", detail: "Invalid state: <b>&" });
  });
});

describe("S1.4 who it is, then what is asked", () => {
  it("is asked of agents for all below /me, and of users for all beside it", async () => {
    const { plane } = await httpApi();
    const status = async (line: string, ...headers: string[]) =>
      (await rawRequest(plane.url, [`${line} HTTP/1.1`, ...headers])).status;
    expect(await status(`GET ${me}`)).toBe(401);
    expect(await status(`GET ${me}/`)).toBe(401);
    expect(await status(`DELETE ${me}/logs`)).toBe(401);
    expect(await status(`GET ${me}/nope`, auth)).toBe(404);
    // "me" is nobody's id
    expect(await status(`GET ${me}/connection`, auth)).toBe(404);
    expect(await status(`GET ${me}/connection`, `Coder-Session-Token: ${adminToken}`)).toBe(401);
    // an agent is no user, and a user no agent
    expect(await status("GET /api/v2/workspaceagents/x/y/z", auth)).toBe(401);
    expect(await status("GET /api/v2/workspaceagents/x/y/z", `Coder-Session-Token: ${adminToken}`)).toBe(404);
    expect(await status(`GET ${me}/logs`, `Coder-Session-Token: ${adminToken}`)).toBe(401);
  });

  it("answers a wrong method with 405 and those that are right", async () => {
    const { me: ask, get, agentId } = await httpApi();
    const answer = await ask("POST", "logs");
    expect(answer.status).toBe(405);
    expect(answer.headers.get("allow")).toBe("PATCH");
    expect(answer.text).toBe("");
    expect((await ask("DELETE", "reinit")).headers.get("allow")).toBe("GET");
    expect((await get(`workspaceagents/${agentId}/logs`)).status).toBe(200);
  });

  it("answers HEAD with the head of GET", async () => {
    const { plane, agentId } = await httpApi();
    const head = (path: string, given: string) =>
      answered(`${plane.url}/api/v2/workspaceagents/${path}`, {
        method: "HEAD",
        headers: { "Coder-Session-Token": given },
      });
    const json = await head(agentId, adminToken);
    expect([json.status, json.text, json.headers.get("content-type")]).toEqual([
      200,
      "",
      "application/json; charset=utf-8",
    ]);
    expect(Number(json.headers.get("content-length"))).toBeGreaterThan(100);
    expect((await head(`${agentId}/logs`, adminToken)).status).toBe(200);
    const stream = await head("me/reinit", token);
    expect([stream.status, stream.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
    expect(plane.api.streamCount).toBe(0);
  });

  it.each([
    "metadata",
    "manifest",
    "report-stats",
    "startup",
    "report-lifecycle",
    "app-health",
    "coordinate",
  ])("S5.4 has no %s any more", async (name) => {
    const { me: ask } = await httpApi();
    expect((await ask("POST", name, {})).json).toEqual(noRoute);
  });

  it("has no listening ports and containers yet", async () => {
    const { get, agentId } = await httpApi();
    expect((await get(`workspaceagents/${agentId}/listening-ports`)).json).toEqual(noRoute);
    expect((await get(`workspaceagents/${agentId}/containers`)).json).toEqual(noRoute);
  });

  it("S5.42 knows no user where nobody has said how", async () => {
    const store = new MemoryStore();
    await store.define([{ owner: "ada", name: "dev", agents: [{ name: "main", token }] }]);
    const api = createAgentApi({ store });
    const { createServer } = await import("node:http");
    const server = createServer();
    api.attach(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const address = server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    for (const path of ["workspaceagents/x", "workspaceagents/connection", "connectionlog"]) {
      const answer = await answered(`http://127.0.0.1:${port}/api/v2/${path}`, {
        headers: { "Coder-Session-Token": token },
      });
      expect(answer.status).toBe(401);
      expect(answer.json).toEqual({
        message: "API key or external proxy authentication required, but none provided",
      });
    }
    await api.close();
  });
});

describe("S5.2 a body", () => {
  const longBody = JSON.stringify({ display_name: "x".repeat(70_000) });

  it.each([
    ["", "EOF"],
    ["  ", "EOF"],
    ["{", "unexpected EOF"],
    ['{"id":"', "unexpected EOF"],
    ['{"id":', "unexpected EOF"],
  ])("that is %j is refused: %s", async (body, detail) => {
    const { me: ask } = await httpApi();
    const { status, json } = await ask("POST", "log-source", body);
    expect(status).toBe(400);
    expect(json).toEqual({ message: "Request body must be valid JSON.", detail });
  });

  it.each(["nonsense", '{"id": 5}', '{"id": "no-uuid"}', '{"id": ""}', "[1]", '"text"'])(
    "that is %j is refused, and costs nothing else",
    async (body) => {
      const { me: ask, plane, agentId } = await httpApi();
      const { status, json } = await ask("POST", "log-source", body);
      expect(status).toBe(400);
      expect(json).toMatchObject({
        message: "Request body must be valid JSON.",
        detail: expect.stringMatching(/./),
      });
      expect(await plane.store.logSources(agentId)).toEqual([]);
    },
  );

  it("may have fields that nobody knows, and may lack fields", async () => {
    const { me: ask } = await httpApi();
    const { status, json } = await ask("POST", "log-source", { nobody: "knows", display_name: null });
    expect(status).toBe(201);
    expect(json).toMatchObject({ id: "00000000-0000-0000-0000-000000000000", display_name: "", icon: "" });
    expect((await ask("POST", "log-source", "null")).status).toBe(201);
  });

  it("that is too long is refused with an answer, and the connection goes on", async () => {
    const { plane } = await httpApi();
    const post = [`POST ${me}/log-source HTTP/1.1`, auth];
    const socket = connect(Number(new URL(plane.url).port), "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    let received = "";
    socket.on("data", (chunk) => {
      received += String(chunk);
    });
    const send = (body: string) =>
      socket.write([...post, "Host: x", `Content-Length: ${body.length}`, "", body].join("\r\n"));
    send(longBody);
    await eventually(() => received.includes("413"), "the refusal");
    expect(received).toContain('{"message":"Request body too large."}');
    send("{}");
    await eventually(() => received.includes("201"), "the next answer");
  });

  it("of exactly the most is taken", async () => {
    const { me: ask } = await httpApi();
    const body = JSON.stringify({ other: "" });
    const most = JSON.stringify({ other: "x".repeat(64 * 1024 - body.length) });
    expect((await ask("POST", "log-source", most)).status).toBe(201);
    expect((await ask("POST", "log-source", `${most} `)).status).toBe(413);
  });

  it("that stops in the middle leaves nothing behind", async () => {
    const { plane, agentId } = await httpApi();
    const socket = connect(Number(new URL(plane.url).port), "127.0.0.1");
    socket.write(
      [`POST ${me}/log-source HTTP/1.1`, auth, "Host: x", "Content-Length: 100", "", '{"id":'].join("\r\n"),
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await plane.store.logSources(agentId)).toEqual([]);
    expect((await answered(plane.url, {})).status).toBe(404);
  });

  it("that lacks required fields is told which", () => {
    requireFields({ a: "1" });
    const missing = [
      { field: "b", detail: 'Validation failed for tag "required" with value: ""' },
      { field: "c", detail: 'Validation failed for tag "required" with value: ""' },
    ];
    try {
      requireFields({ a: "1", b: "", c: "" });
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(ApiError);
      expect(error).toMatchObject({ status: 400, message: "Validation failed.", validations: missing });
    }
  });
});

describe("S1.3 the rate limit", () => {
  const limited = (count: number) =>
    `You've been rate limited for sending more than ${count} requests in 1m0s.`;

  it("is off by default", async () => {
    const { me: ask } = await httpApi();
    for (let i = 0; i < 20; i++) expect((await ask("GET", "nope")).status).toBe(404);
  });

  it("counts agents by address and path, before it asks who they are; the RPC too", async () => {
    const { me: ask, plane } = await httpApi({}, { rateLimit: { requestsPerMinute: 2 } });
    const raw = (path: string, ...more: string[]) => rawRequest(plane.url, upgradeLines(me + path, ...more));
    expect((await raw("/rpc", auth)).status).toBe(101);
    expect((await raw("/rpc")).status).toBe(401);
    const refused = await raw("/rpc", auth);
    expect(refused.status).toBe(429);
    expect(JSON.parse(refused.body)).toEqual({ message: limited(2) });
    const plain = await ask("GET", "rpc");
    expect(plain.status).toBe(429);
    expect(plain.json).toEqual({ message: limited(2) });
    // another path has its own count
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push((await ask("GET", "nope")).status);
    expect(statuses).toEqual([404, 404, 429]);
  });

  it("counts users by who they are, and who is no user by address", async () => {
    const { get } = await httpApi({}, { rateLimit: { requestsPerMinute: 1 } });
    const status = async (given: string) => (await get("connectionlog", given)).status;
    expect([await status(adminToken), await status(adminToken)]).toEqual([200, 429]);
    expect([await status(strangerToken), await status(strangerToken)]).toEqual([403, 429]);
    expect([await status("nobody"), await status("somebody")]).toEqual([401, 429]);
  });

  it("forgets over a minute, little by little", () => {
    let nowMs = 0;
    const limit = new RateLimit({ requestsPerMinute: 10 }, () => nowMs);
    const taken = () => {
      for (let i = 0; ; i++) {
        try {
          limit.count("x", "/");
        } catch {
          return i;
        }
      }
    };
    expect(taken()).toBe(10);
    nowMs = 59_999;
    expect(taken()).toBe(0);
    nowMs = 90_000;
    expect(taken()).toBe(5);
    nowMs = 120_000;
    expect(taken()).toBe(5);
    nowMs = 300_000;
    expect(taken()).toBe(10);
  });

  it("is off at 0 and below, and keeps a bounded count of callers", () => {
    const off = new RateLimit({ requestsPerMinute: 0 });
    for (let i = 0; i < 1000; i++) off.count("x", "/");
    const one = new RateLimit({ requestsPerMinute: 1 }, () => 0);
    for (let i = 0; i < 65_536; i++) one.count(String(i), "/");
    expect(() => one.count("0", "/")).toThrow(limited(1));
    one.count("another", "/");
    // the count has begun anew
    one.count("0", "/");
  });
});

describe("over HTTP/2", () => {
  async function http2(url: string, headers: Record<string, string>, body?: string) {
    const session = connectHttp2(url);
    onTestFinished(() => session.destroy());
    const stream = session.request(headers, { endStream: body === undefined });
    if (body !== undefined) stream.end(body);
    const head = new Promise<Record<string, unknown>>((resolve) => stream.once("response", resolve));
    let text = "";
    stream.setEncoding("utf8");
    stream.on("data", (chunk: string) => {
      text += chunk;
    });
    const end = new Promise<void>((resolve) => stream.once("close", () => resolve()));
    return { head: await head, stream, end, text: () => text };
  }

  it("the same is answered: bodies, refusals, pages, and what needs an upgrade", async () => {
    const { plane, agentId } = await httpApi();
    const ask = async (method: string, path: string, given: string, body?: string) => {
      const headers = { ":method": method, ":path": `/api/v2/workspaceagents/${path}` };
      const { head, end, text } = await http2(plane.url, { ...headers, "coder-session-token": given }, body);
      await end;
      return `${String(head[":status"])} ${text().trimEnd().slice(0, 80)}`;
    };
    expect(await ask("PATCH", "me/logs", token, JSON.stringify({ logs: [{ output: "hi" }] }))).toBe(
      "200 null",
    );
    expect(await ask("PATCH", "me/logs", "", "{}")).toBe(
      '401 {"message":"Cookie \\"coder_session_token\\" must be provided."}',
    );
    expect(await ask("POST", "me/log-source", token, `"${"x".repeat(70_000)}"`)).toBe(
      '413 {"message":"Request body too large."}',
    );
    expect(await ask("GET", `${agentId}/logs`, adminToken)).toMatch(/^200 \[\{"id":1,/);
    expect(await ask("HEAD", `${agentId}/logs`, adminToken)).toBe("200 ");
    expect(await ask("GET", `${agentId}/logs?follow`, adminToken)).toMatch(
      /^426 WebSocket protocol violation/,
    );
    expect(await ask("GET", "me/logs", token)).toBe("405 ");
  });

  it("events stream, and end when the client leaves", async () => {
    const { plane } = await httpApi({}, { streamPingIntervalMs: 20 });
    const headers = { ":path": `${me}/reinit`, "coder-session-token": token };
    const { head, stream, text } = await http2(plane.url, headers);
    expect(head[":status"]).toBe(200);
    expect(head["content-type"]).toBe("text/event-stream");
    await eventually(() => text().startsWith("event: ping\n\nevent: ping\n\n"), "two pings");
    expect(plane.api.streamCount).toBe(1);
    stream.close();
    await eventually(() => plane.api.streamCount === 0, "the end");
  });
});

describe("upgrades", () => {
  it("of paths that have none are answered as what they ask for", async () => {
    const { plane, agentId } = await httpApi();
    const admin = `Coder-Session-Token: ${adminToken}`;
    const at = (path: string, ...headers: string[]) =>
      rawRequest(plane.url, upgradeLines(`/api/v2/workspaceagents/${path}`, ...headers));
    expect((await at("me/gitsshkey")).status).toBe(401);
    expect((await at("me/nope", auth)).status).toBe(404);
    expect((await at(agentId, admin)).status).toBe(200);
    expect((await at(`${agentId}/logs`, admin)).body).toBe("[]\n");
    const post = [...upgradeLines("", auth)];
    post[0] = "PATCH /api/v2/workspaceagents/me/logs HTTP/1.1";
    const withBody = await rawRequest(plane.url, [...post, "Content-Length: 2"], "{}");
    expect([withBody.status, JSON.parse(withBody.body)]).toMatchObject([
      400,
      { message: "This endpoint has no WebSocket." },
    ]);
    const events = await at(`${agentId}/watch-metadata`, admin);
    expect([events.status, events.headers["connection"]]).toEqual([400, "close"]);
    expect((await at(`${agentId}/logs?follow`)).status).toBe(401);
    expect((await at(`${agentId}/logs?follow`, admin)).status).toBe(101);
  });

  it("of other origins are refused, and plain requests for sockets", async () => {
    const { plane, agentId, get } = await httpApi();
    const admin = `Coder-Session-Token: ${adminToken}`;
    const path = `workspaceagents/${agentId}/logs?follow`;
    const foreign = await rawRequest(
      plane.url,
      upgradeLines(`/api/v2/${path}`, admin, "Origin: https://evil.test"),
    );
    expect(foreign.status).toBe(403);
    expect((await get(path)).status).toBe(426);
  });
});
