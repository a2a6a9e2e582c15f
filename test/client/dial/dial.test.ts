import { getEventListeners } from "node:events";
import { readFileSync } from "node:fs";
import { createServer as createTlsServer } from "node:https";
import { inspect } from "node:util";
import { Code } from "@connectrpc/connect";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { WebSocketServer } from "ws";
import { DialError, dialAgent, RpcError } from "../../../src/client/index-node.js";
import { createAgentApi, type RpcSession } from "../../../src/server/index.js";
import { MemoryStore } from "../../../src/store/index.js";
import { controlPlane, dialled, token } from "../../support/control-plane.js";
import { failure } from "../../support/echo.js";
import {
  connectProxy,
  httpServer,
  listening,
  refusingServer,
  silentServer,
} from "../../support/http-servers.js";

const versionRefusal = (detail: string) =>
  JSON.stringify({
    message: "Unknown or unsupported API version",
    validations: [{ field: "version", detail }],
  });

function agentApi() {
  const store = new MemoryStore();
  void store.define([{ owner: "ada", name: "dev", agents: [{ name: "main", token }] }]);
  const sessions: Pick<RpcSession<unknown>, "apiVersion" | "role">[] = [];
  const api = createAgentApi({
    store,
    onSession: (_who, { apiVersion, role }) => {
      sessions.push({ apiVersion, role });
      return undefined;
    },
  });
  onTestFinished(() => api.close());
  return { api, sessions };
}

function certificate(name: string): Buffer {
  return readFileSync(new URL(`../../fixtures/tls/${name}.pem`, import.meta.url));
}

async function dialError(
  options: Partial<Parameters<typeof dialAgent>[0]> & { url: string },
): Promise<DialError> {
  const error = await failure(dialAgent({ token, ...options }));
  expect(error).toBeInstanceOf(DialError);
  expect(error).toBeInstanceOf(RpcError);
  expect(inspect(error, { depth: 10 })).not.toContain(token);
  return error as DialError;
}

afterEach(() => {
  vi.unstubAllEnvs();
});

describe("a dial", () => {
  it("is as an agent and of the newest version, unless it says otherwise (C1.2)", async () => {
    const { url, upgrades } = await refusingServer(401, "{}");
    await failure(dialAgent({ url, token }));
    await failure(dialAgent({ url, token, role: "my-tool", version: "2.3" }));
    await failure(dialAgent({ url, token, role: "" }));
    expect(upgrades).toEqual([
      { url: "/api/v2/workspaceagents/me/rpc?role=agent&version=2.10", token },
      { url: "/api/v2/workspaceagents/me/rpc?role=my-tool&version=2.3", token },
      { url: "/api/v2/workspaceagents/me/rpc?version=2.10", token },
    ]);
  });

  it.each(["/", "/some/prefix", "/some/prefix/", "/x?drop=me#too"])(
    "keeps the path of %j as a prefix",
    async (path) => {
      const { url, upgrades } = await refusingServer(401, "{}");
      await failure(dialAgent({ url: url + path, token }));
      const prefix = path.replace(/\?.*$/, "").replace(/\/$/, "");
      expect(upgrades[0]?.url).toBe(`${prefix}/api/v2/workspaceagents/me/rpc?role=agent&version=2.10`);
    },
  );

  it("sends the headers that it is given", async () => {
    const seen: unknown[] = [];
    const { server, url } = await httpServer();
    server.on("upgrade", (request, socket) => {
      seen.push(request.headers["x-one"]);
      socket.destroy();
    });
    await failure(dialAgent({ url, token, headers: { "X-One": "1" } }));
    expect(seen).toEqual(["1"]);
  });

  it("gives a connection that works, and says which version and role it has", async () => {
    const connection = await dialled(await controlPlane(), { role: "my-tool" });
    expect(connection.version).toEqual({ major: 2, minor: 10 });
    expect(connection.role).toBe("my-tool");
    expect((await connection.agent.getManifest({})).agentName).toBe("main");
    expect(await connection.ping()).toBeGreaterThan(0);
  });

  it("leaves no listener on its signal", async () => {
    const plane = await controlPlane();
    const { signal } = new AbortController();
    for (let i = 0; i < 3; i++) await (await dialAgent({ url: plane.url, token, signal })).close();
    await failure(dialAgent({ url: plane.url, token: "bad", signal }));
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  it("to something that is no URL of a control plane is a TypeError", async () => {
    await expect(dialAgent({ url: "ftp://x", token })).rejects.toThrow(
      "ftp:// is not http, https, ws or wss",
    );
    await expect(dialAgent({ url: "nowhere", token })).rejects.toThrow(
      new TypeError("the url is no URL: it must be one such as https://coder.example.com"),
    );
  });
});

describe("C1.16 a dial that is refused", () => {
  it("by a server, or a proxy before it, that repeats the token is shown without it", async () => {
    const { url } = await refusingServer(400, JSON.stringify({ message: "no", detail: `got ${token}` }));
    const error = await failure(dialAgent({ url, token }));
    expect(error).toMatchObject({ status: 400, detail: "got [hidden]" });
    expect(`${error.stack} ${JSON.stringify(error)}`).not.toContain(token);
  });

  it("has status, message, detail and validations of the answer", async () => {
    const body = {
      message: "No.",
      detail: "Because.",
      validations: [{ field: "f", detail: "d" }, { odd: true }],
    };
    const { url } = await refusingServer(403, JSON.stringify(body));
    const error = await dialError({ url });
    expect(error).toMatchObject({
      status: 403,
      reason: "No.",
      detail: "Because.",
      validations: [{ field: "f", detail: "d" }],
      code: Code.PermissionDenied,
      layer: "dial",
    });
    const shown = url.replace("http", "ws");
    expect(error.rawMessage).toBe(
      `dial ${shown}/api/v2/workspaceagents/me/rpc: status 403: No.; Because.; f: d`,
    );
  });

  it.each([
    [
      "no JSON",
      502,
      "<html>bad gateway</html>",
      "text/html",
      'unexpected non-JSON response "text/html"',
      "<html>bad gateway</html>",
    ],
    ["nothing", 503, "", "", 'unexpected non-JSON response ""', "no response body"],
    [
      "JSON without a message",
      500,
      '{"a":1}',
      "application/json",
      "unexpected status code 500, response has no message",
      '{"a":1}',
    ],
    [
      "broken JSON",
      400,
      '{"message":',
      "application/json; charset=utf-8",
      "unexpected status code 400, response has no message",
      '{"message":',
    ],
  ])("may have %s in its answer", async (_what, status, body, contentType, reason, detail) => {
    const { url } = await refusingServer(status, body, contentType);
    expect(await dialError({ url })).toMatchObject({ status, reason, detail });
  });

  it("keeps a bounded part of a long answer", async () => {
    const { url } = await refusingServer(500, "x".repeat(1_000_000), "text/plain");
    const { detail } = await dialError({ url });
    expect(detail).toBe(`${"x".repeat(2048)}...`);
  });

  it("by a server that is not there says why", async () => {
    const error = await dialError({ url: "http://127.0.0.1:9" });
    expect(error).toMatchObject({ code: Code.Unavailable, status: undefined });
    expect(error.reason).toContain("ECONNREFUSED");
  });

  it("never shows the token, also where it is part of the URL", async () => {
    const { url } = await refusingServer(401, "{}");
    const secret = `${url.replace("http://", `http://user:${token}@`)}/?coder_session_token=${token}`;
    const error = await dialError({ url: secret });
    expect(String(error.stack)).not.toContain(token);
  });
});

describe('version: "negotiate"', () => {
  it("dials once more, with the version that a 400 names", async () => {
    const plane = await controlPlane({}, { serverVersion: { major: 2, minor: 4 } });
    const connection = await dialled(plane);
    expect(connection.version).toEqual({ major: 2, minor: 4 });
    expect(connection.supports("reportConnection")).toBe(true);
    expect(connection.supports("updateAppStatus")).toBe(false);
  });

  it("asks for a fresh token for each attempt", async () => {
    const plane = await controlPlane({}, { serverVersion: { major: 2, minor: 4 } });
    const asked = vi.fn(async (signal: AbortSignal) => {
      expect(signal.aborted).toBe(false);
      return token;
    });
    await dialled(plane, { token: asked });
    expect(asked).toHaveBeenCalledTimes(2);
  });

  it("dials once more and not again", async () => {
    const behind = "server is at version 2.4, behind requested minor version 2.10";
    const { url, upgrades } = await refusingServer(400, versionRefusal(behind));
    const error = await dialError({ url });
    expect(error.validations).toEqual([{ field: "version", detail: behind }]);
    expect(upgrades.map((upgrade) => new URL(upgrade.url, url).searchParams.get("version"))).toEqual([
      "2.10",
      "2.4",
    ]);
  });

  it.each([
    [
      "a 400 about something else",
      400,
      JSON.stringify({ message: "No.", validations: [{ field: "role", detail: "2.4" }] }),
    ],
    ["a 400 that names no version", 400, versionRefusal("server is at version two")],
    [
      "a 400 that names a version of another major",
      400,
      versionRefusal("server is at version 3.1, behind requested minor version 2.10"),
    ],
    [
      "a 500 that names one",
      500,
      versionRefusal("server is at version 2.4, behind requested minor version 2.10"),
    ],
    ["no JSON", 400, "server is at version 2.4"],
  ])("fails with the first answer: %s", async (_what, status, body) => {
    const { url, upgrades } = await refusingServer(status, body);
    expect((await dialError({ url })).status).toBe(status);
    expect(upgrades).toHaveLength(1);
  });

  it("is not done for a fixed version", async () => {
    const plane = await controlPlane({}, { serverVersion: { major: 2, minor: 4 } });
    const error = await dialError({ url: plane.url, version: "2.10" });
    expect(error.validations[0]?.detail).toContain("server is at version 2.4");
  });
});

describe("a dial that takes too long, or is canceled", () => {
  it("ends when nothing answers", async () => {
    const { url } = await silentServer();
    const error = await dialError({ url, openTimeoutMs: 50 });
    expect(error).toMatchObject({ code: Code.DeadlineExceeded, reason: "not open within 50 ms" });
  });

  it("ends when the socket opens and the multiplexer does not answer", async () => {
    const { server, url } = await httpServer();
    const sockets = new WebSocketServer({ server });
    const closed = new Promise<number>((resolve) => {
      sockets.on("connection", (socket) => socket.on("close", resolve));
    });
    onTestFinished(() => sockets.close());
    const error = await dialError({ url, openTimeoutMs: 200 });
    expect(error.code).toBe(Code.DeadlineExceeded);
    await closed;
  });

  it("ends when the server answers with something that is no yamux", async () => {
    const { server, url } = await httpServer();
    const sockets = new WebSocketServer({ server });
    sockets.on("connection", (socket) => socket.send(Buffer.from("hello, this is not a frame")));
    onTestFinished(() => sockets.close());
    const error = await dialError({ url });
    expect(error.reason).toContain("version");
  });

  it("ends when the answer to a refusal does not end", async () => {
    const { server, url } = await httpServer();
    server.on("upgrade", (_request, socket) => {
      socket.write("HTTP/1.1 500 X\r\nContent-Length: 1000\r\n\r\nstill");
    });
    expect((await dialError({ url, openTimeoutMs: 100 })).code).toBe(Code.DeadlineExceeded);
  });

  it("ends with its signal, before and while it dials", async () => {
    const { url } = await silentServer();
    const abort = new AbortController();
    const reason = new Error("enough");
    setTimeout(() => abort.abort(reason), 50);
    const error = await dialError({ url, signal: abort.signal });
    expect(error).toMatchObject({ code: Code.Canceled, cause: reason });
    expect(await dialError({ url, signal: abort.signal })).toMatchObject({
      code: Code.Canceled,
      cause: reason,
    });
  });

  it("ends while its token is fetched", async () => {
    const never = (signal: AbortSignal) =>
      new Promise<string>((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    const { url } = await silentServer();
    expect((await dialError({ url, token: never, openTimeoutMs: 50 })).code).toBe(Code.DeadlineExceeded);
    const deaf = () => new Promise<string>(() => {});
    expect((await dialError({ url, token: deaf, openTimeoutMs: 50 })).code).toBe(Code.DeadlineExceeded);
  });

  it("fails with what a token provider says", async () => {
    const { url } = await silentServer();
    const broken = () => Promise.reject(new Error("no metadata service"));
    expect((await dialError({ url, token: broken })).reason).toBe("no metadata service");
  });
});

describe("redirects", () => {
  async function redirecting(to: (path: string) => string) {
    const { server, url } = await httpServer();
    server.on("upgrade", (request, socket) => {
      socket.end(`HTTP/1.1 307 X\r\nLocation: ${to(request.url ?? "")}\r\nContent-Length: 0\r\n\r\n`);
    });
    return url;
  }

  it("are followed, and the token is not given to another host", async () => {
    const target = await refusingServer(401, "{}");
    const url = await redirecting((path) => target.url.replace("http", "ws") + path);
    await failure(dialAgent({ url, token }));
    expect(target.upgrades).toEqual([
      { url: "/api/v2/workspaceagents/me/rpc?role=agent&version=2.10", token: undefined },
    ]);
  });

  it("within a host keep the token", async () => {
    const { api } = agentApi();
    const { server, url } = await httpServer();
    server.on("upgrade", (request, socket, head) => {
      if (request.url?.startsWith("/old")) {
        const location = request.url.replace("/old", "");
        socket.end(`HTTP/1.1 307 X\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`);
      } else api.upgrade(request, socket, head);
    });
    const connection = await dialled({ url: `${url}/old` });
    expect((await connection.agent.getManifest({})).agentName).toBe("main");
  });

  it("in a circle end", async () => {
    const url = await redirecting((path) => path);
    expect((await dialError({ url })).reason).toContain("redirects");
  });
});

describe("proxies", () => {
  it("of the option are used, with their credentials", async () => {
    const plane = await controlPlane();
    const proxy = await connectProxy();
    await dialled(plane, { proxy: proxy.url.replace("http://", "http://me:secret@") });
    expect(proxy.targets).toEqual([new URL(plane.url).host]);
    expect(proxy.authorizations).toEqual([`Basic ${Buffer.from("me:secret").toString("base64")}`]);
  });

  it("of the environment are used, unless NO_PROXY or the option says not to", async () => {
    const plane = await controlPlane();
    const proxy = await connectProxy();
    vi.stubEnv("HTTP_PROXY", proxy.url);
    vi.stubEnv("NO_PROXY", "");
    await dialled(plane);
    expect(proxy.targets).toHaveLength(1);
    await dialled(plane, { proxy: false });
    vi.stubEnv("NO_PROXY", "127.0.0.1");
    await dialled(plane);
    expect(proxy.targets).toHaveLength(1);
  });

  it("that refuse are an error that says so", async () => {
    const refusing = await httpServer((_request, response) => response.writeHead(407).end());
    refusing.server.on("connect", (_request, socket) =>
      socket.end("HTTP/1.1 407 Auth\r\nContent-Length: 0\r\n\r\n"),
    );
    const error = await dialError({ url: "http://127.0.0.1:9", proxy: refusing.url } as never);
    expect(error.rawMessage).toContain("407");
  });
});

describe("TLS", () => {
  async function tlsServer(more: object = {}) {
    const { api } = agentApi();
    const server = createTlsServer({ key: certificate("server.key"), cert: certificate("server"), ...more });
    api.attach(server);
    return `https://127.0.0.1:${await listening(server)}`;
  }

  it("of an unknown authority is refused, of a given one accepted", async () => {
    const url = await tlsServer();
    expect((await dialError({ url })).reason).toContain("certificate");
    const connection = await dialled({ url }, { tls: { ca: certificate("ca") } });
    expect((await connection.agent.getManifest({})).agentName).toBe("main");
  });

  it("with a client certificate, where the server wants one", async () => {
    const url = await tlsServer({ ca: certificate("ca"), requestCert: true, rejectUnauthorized: true });
    const ca = certificate("ca");
    await dialError({ url, tls: { ca } } as never);
    const connection = await dialled(
      { url },
      { tls: { ca, cert: certificate("client"), key: certificate("client.key") } },
    );
    expect((await connection.agent.getManifest({})).agentName).toBe("main");
  });

  it("through a proxy", async () => {
    const url = await tlsServer();
    const proxy = await connectProxy();
    await dialled({ url }, { proxy: proxy.url, tls: { ca: certificate("ca") } });
    expect(proxy.targets).toEqual([new URL(url).host]);
  });
});
