import { readFileSync } from "node:fs";
import { createServer as createHttpServer, request as httpRequest, type IncomingMessage } from "node:http";
import { createSecureServer } from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import { connect, createServer as createTcpServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { WebSocketServer } from "ws";
import { Agent } from "../../src/client/index-node.js";
import { ApiError, attachRpc } from "../../src/server/index.js";
import { startTool } from "../support/built-tool.js";
import { controlPlane, eventually, token } from "../support/control-plane.js";
import { connectProxy, httpServer, listening, silentServer } from "../support/http-servers.js";
import { terminal, tool, toolResult } from "../support/terminal.js";

interface Step {
  step: string;
  status: "ok" | "warn" | "fail" | "skip";
  saw: string;
  advice?: string;
  facts: Record<string, unknown>;
}

interface Examined {
  exitCode: number;
  healthy: boolean;
  url: string;
  steps: Step[];
  step(name: string): Step;
  /** The only step that failed. */
  failed: Step;
}

/** Runs doctor to its end, and reads its JSON. */
async function examine(url: string, ...args: string[]): Promise<Examined> {
  const options = ["--json", "--no-speed", "--timeout", "2", "--url", url];
  const { exitCode, stdout, stderr } = await toolResult(["doctor", ...options, "--token", token, ...args]);
  expect(stderr).toBe("");
  expect(stdout).not.toContain(token);
  const report = JSON.parse(stdout) as Pick<Examined, "healthy" | "url" | "steps">;
  expect(exitCode).toBe(report.healthy ? 0 : 1);
  const step = (name: string) => {
    const found = report.steps.find((one) => one.step === name);
    if (found === undefined) throw new Error(`there is no step ${name}`);
    return found;
  };
  const failed = report.steps.filter(({ status }) => status === "fail");
  for (const { advice } of failed) expect(advice?.length).toBeGreaterThan(10);
  return { ...report, exitCode, step, failed: failed[0] ?? step("url") };
}

type Upgrade = (near: Socket, request: IncomingMessage, head: Buffer) => void;

/** A proxy that passes plain requests on, and does something else with those that want to be WebSockets. */
async function proxyBefore(target: string, onUpgrade: Upgrade): Promise<string> {
  const { server, url } = await httpServer((request, response) => {
    const { method, headers } = request;
    const far = httpRequest(new URL(request.url ?? "/", target), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    request.pipe(far);
  });
  server.on("upgrade", (request, socket: Duplex, head: Buffer) => onUpgrade(socket as Socket, request, head));
  return url;
}

const answer = (status: number, body: string, type = "text/html") =>
  `HTTP/1.1 ${status} X\r\nContent-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`;

/** Passes an upgrade on as it is but for some headers, and all bytes after it. */
function passOn(target: string, without: RegExp): Upgrade {
  return (near, request, head) => {
    const { hostname, port } = new URL(target);
    const far = connect(Number(port), hostname, () => {
      const headers = Object.entries(request.headers).filter(([name]) => !without.test(name));
      const lines = headers.map(([name, value]) => `${name}: ${String(value)}\r\n`).join("");
      far.write(`${request.method} ${request.url} HTTP/1.1\r\n${lines}\r\n`);
      far.write(head);
      near.pipe(far).pipe(near);
    });
    far.on("error", () => near.destroy());
    near.on("error", () => far.destroy());
    near.on("close", () => far.destroy());
    onTestFinished(() => void far.destroy());
  };
}

const tlsFile = (name: string) => fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url));
const serverTls = {
  key: readFileSync(tlsFile("server.key.pem")),
  cert: readFileSync(tlsFile("server.pem")),
};

describe("agentwire doctor", () => {
  it("finds nothing wrong with a control plane, and says what it saw of each step", async () => {
    const roles: string[] = [];
    const plane = await controlPlane({}, { onSession: (_who, { role }) => void roles.push(role) });
    const { exitCode, healthy, steps, step } = await examine(plane.url);
    expect({ exitCode, healthy }).toEqual({ exitCode: 0, healthy: true });
    expect(steps.map(({ step, status }) => `${step} ${status}`)).toEqual([
      "url ok",
      "dns ok",
      "tcp ok",
      "tls skip",
      "http ok",
      "clock ok",
      "token ok",
      "version ok",
      "websocket ok",
      "ping ok",
      "call ok",
      "speed skip",
      "watch skip",
    ]);
    expect(step("ping").facts).toMatchObject({
      pings: 10,
      minMs: expect.any(Number),
      medianMs: expect.any(Number),
    });
    expect(step("call").facts).toEqual({ owner: "ada", workspace: "dev", agent: "main" });
    expect(step("version").facts).toEqual({ version: "2.10" });
    // beside the agent: that does not look connected
    expect(roles).toEqual(["agentwire-doctor"]);
    const agent = await plane.store.agent(plane.agents[0]?.id ?? "");
    expect(agent?.connection.firstConnectedAtUs).toBeUndefined();
    await eventually(() => plane.api.sessionCount === 0, "the end of its session");
  });

  it("times calls, and keeps the connection without traffic for as long as --watch says", async () => {
    const plane = await controlPlane();
    const env = { CODER_AGENT_URL: plane.url, CODER_AGENT_TOKEN: token };
    const { exitCode, stdout } = await toolResult(["doctor", "--watch", "1"], env);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /^ok +speed +\d+ calls a second one at a time, median [\d.]+ ms; \d+ with 8 at a time/m,
    );
    expect(stdout).toMatch(/^ok +watch +the connection was there after 1 s/m);
    expect(stdout).toMatch(/\nhealthy\n$/);
    expect(stdout).not.toContain(token);
  });

  it("shows on a terminal what it does at the moment, and takes that away", async () => {
    const plane = await controlPlane();
    const run = terminal({ CODER_AGENT_URL: plane.url, CODER_AGENT_TOKEN: token });
    const stderr = Object.assign(run.terminal.stderr, { isTTY: true });
    const { runTool } = await import("../../src/cli/run-tool.js");
    expect(await runTool(["doctor", "--no-speed"], { ...run.terminal, stderr })).toBe(0);
    await new Promise((resolve) => setImmediate(resolve));
    const shown = run.stderr().split("\r\u001b[K");
    expect(shown.at(-1)).toBe("");
    expect(shown.filter((text) => text !== "")).toEqual(
      ["url", "dns", "tcp", "http", "clock", "token", "version", "websocket", "ping", "call"].map(
        (step) => `${step} …`,
      ),
    );
  });

  it("ends with 130 when it is interrupted", async () => {
    const { url } = await silentServer();
    const run = tool(["doctor", "--url", url, "--token", token]);
    await vi.waitFor(() => expect(run.stdout()).toContain("tcp"));
    run.interrupt();
    expect(await run.exitCode).toBe(130);
  });

  it.each([
    [[], "give --url, or set CODER_AGENT_URL"],
    [["--url", "http://127.0.0.1:9", "x"], '"x" is too much'],
    [["--url", "http://127.0.0.1:9", "--watch", "0"], "--watch 0: must be a whole number above 0"],
  ])("refuses %j with 2", async (args, said) => {
    const { exitCode, stderr } = await toolResult(["doctor", ...args]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(said);
  });
});

describe("doctor on the way to a server", () => {
  it.each([
    ["coder.example.com", "the URL is none of HTTP"],
    ["ftp://coder.example.com", "the URL is none of HTTP"],
    [
      "https://user:very-secret@coder.example.com/api/v2/workspaceagents",
      "the URL has a path of the API in it",
    ],
  ])("tells what is wrong with the URL %s, and skips the rest", async (url, said) => {
    const { failed, steps } = await examine(url);
    expect(failed).toMatchObject({ step: "url", saw: expect.stringContaining(said) });
    expect(steps.slice(1).map(({ status, saw }) => `${status}: ${saw}`)).toEqual(
      Array.from({ length: 12 }, () => "skip: not possible without url"),
    );
    expect(JSON.stringify(steps)).not.toContain("very-secret");
  });

  it("tells a name that nobody knows", async () => {
    const { failed } = await examine("http://no-such-host.invalid");
    expect(failed.step).toBe("dns");
    expect(failed.saw).toContain("no-such-host.invalid");
  });

  it("tells that nothing listens", async () => {
    const server = createTcpServer();
    const port = await listening(server);
    server.close();
    const { failed, step } = await examine(`http://127.0.0.1:${port}`);
    expect(failed).toMatchObject({ step: "tcp", saw: `nothing listens on 127.0.0.1:${port}` });
    expect(step("ping")).toMatchObject({ status: "skip", saw: "not possible without tcp" });
  });

  it("tells a server that says nothing", async () => {
    const { url } = await silentServer();
    const { failed } = await examine(url, "--timeout", "1");
    expect(failed).toMatchObject({ step: "http", saw: "no answer within 1 s" });
  });

  it("tells a server that cuts connections", async () => {
    const port = await listening(
      createTcpServer((socket) => void socket.once("data", () => socket.destroy())),
    );
    const { failed } = await examine(`http://127.0.0.1:${port}`);
    expect(failed).toMatchObject({ step: "http", saw: "the connection was cut without an answer" });
    expect(failed.advice).toContain("https://");
  });

  it("goes through the proxy of the environment, and hides its password", async () => {
    const plane = await controlPlane();
    const proxy = await connectProxy();
    vi.stubEnv("HTTP_PROXY", proxy.url.replace("//", "//user:very-secret@"));
    vi.stubEnv("NO_PROXY", "");
    onTestFinished(() => void vi.unstubAllEnvs());
    const { healthy, step, steps } = await examine(plane.url);
    expect(healthy).toBe(true);
    expect(step("tcp").facts).toMatchObject({ proxy: proxy.url });
    expect(new Set(proxy.targets)).toEqual(new Set([new URL(plane.url).host]));
    expect(JSON.stringify(steps)).not.toContain("very-secret");
  });

  it("tells a proxy of the environment that refuses the connection", async () => {
    const { server, url } = await httpServer();
    server.on("connect", (_request, socket: Duplex) =>
      socket.end("HTTP/1.1 407 X\r\nConnection: close\r\n\r\n"),
    );
    vi.stubEnv("HTTP_PROXY", url);
    vi.stubEnv("NO_PROXY", "");
    onTestFinished(() => void vi.unstubAllEnvs());
    const { failed } = await examine("http://coder.invalid");
    expect(failed).toMatchObject({ step: "tcp", facts: { status: 407 } });
    expect(failed.advice).toContain("user name");
  });
});

describe("doctor on TLS", () => {
  /** The API with TLS, and a certificate of an authority that nobody knows. */
  async function tlsServer(): Promise<string> {
    const server = createHttpsServer(serverTls);
    attachRpc(server, {
      authenticate: ({ token: given }) => {
        if (given !== token) throw new ApiError(401, "Workspace agent not authorized.");
        return {};
      },
      routes: (router) => router.service(Agent, { getManifest: () => ({ agentName: "main" }) }),
    });
    return `https://127.0.0.1:${await listening(server)}`;
  }

  it("tells a certificate that is not trusted, and how to trust it", async () => {
    const { failed } = await examine(await tlsServer());
    expect(failed).toMatchObject({ step: "tls", saw: expect.stringContaining("is not trusted") });
    expect(failed.advice).toContain("NODE_EXTRA_CA_CERTS");
  });

  it("is content when the authority is in NODE_EXTRA_CA_CERTS, and says how long the certificate lasts", async () => {
    const args = ["--url", await tlsServer(), "--token", token, "--no-speed", "--json"];
    const { exit, output } = startTool(["doctor", ...args], { NODE_EXTRA_CA_CERTS: tlsFile("ca.pem") });
    expect((await exit).code).toBe(0);
    const { steps } = JSON.parse(output.stdout) as { steps: Step[] };
    expect(steps.find(({ step }) => step === "tls")).toMatchObject({
      status: "ok",
      facts: { daysLeft: expect.any(Number), protocol: expect.stringMatching(/^TLS/) },
    });
  });

  it("warns where every certificate is taken", async () => {
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
    onTestFinished(() => void vi.unstubAllEnvs());
    const args = ["doctor", "--url", await tlsServer(), "--token", token, "--no-speed"];
    const { exitCode, stdout } = await toolResult(args, { NODE_TLS_REJECT_UNAUTHORIZED: "0" });
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^warn +tls +.* is not trusted .*\n +→ NODE_TLS_REJECT_UNAUTHORIZED=0 takes any/m);
    expect(stdout).toMatch(/\nhealthy, 1 to look at\n$/);
  });

  it("tells a port without TLS", async () => {
    const plane = await controlPlane();
    const { failed } = await examine(plane.url.replace("http:", "https:"));
    expect(failed).toMatchObject({ step: "tls" });
    expect(failed.advice).toContain("http://");
  });

  it("tells a port with TLS that is given without", async () => {
    const port = await listening(createHttpsServer(serverTls));
    const { failed } = await examine(`http://127.0.0.1:${port}`);
    expect(failed.step).toBe("http");
    expect(failed.advice).toContain("https://");
  });

  it("tells a server of HTTP/2 alone", async () => {
    const port = await listening(createSecureServer({ ...serverTls, allowHTTP1: false }));
    const { failed } = await examine(`https://127.0.0.1:${port}`);
    expect(failed).toMatchObject({ step: "tls", saw: "127.0.0.1 speaks HTTP/2 only" });
  });
});

describe("doctor on what answers", () => {
  it.each([
    [
      "a web page",
      200,
      "<h1>Welcome</h1>",
      "this does not look like the agent API: 200, text/html, which begins: <h1>",
    ],
    ["nothing there", 404, "", "this does not look like the agent API: 404"],
    ["a proxy without its server", 502, "Bad Gateway", "a proxy answers with 502: it does not reach"],
    ["too many requests", 429, "", "there are too many (429)"],
  ])("tells %s", async (_what, status, body, said) => {
    const { url } = await httpServer((_request, response) => {
      response.writeHead(status, { "Content-Type": "text/html" }).end(body);
    });
    const { failed } = await examine(url);
    expect(failed.step).toBe("http");
    expect(failed.saw).toContain(said);
  });

  it("tells where it is sent to, without the query", async () => {
    const { url } = await httpServer((_request, response) => {
      response.writeHead(302, { Location: "https://login.example.com/sso?state=secret" }).end();
    });
    const { failed } = await examine(url);
    expect(failed.saw).toBe("the server sends requests somewhere else: 302 to https://login.example.com/sso");
  });

  it("tells a clock that is wrong, and goes on", async () => {
    const plane = await controlPlane();
    const { server, url } = await httpServer();
    server.on("request", (request, response) => {
      const far = httpRequest(
        new URL(request.url ?? "/", plane.url),
        { headers: request.headers },
        (given) => {
          response.sendDate = false;
          const date = new Date(Date.now() + 300_000).toUTCString();
          response.writeHead(given.statusCode ?? 500, { ...given.headers, date });
          given.pipe(response);
        },
      );
      far.end();
    });
    server.on("upgrade", (request, socket: Duplex, head: Buffer) =>
      passOn(plane.url, /^$/)(socket as Socket, request, head),
    );
    const { failed, step, exitCode } = await examine(url);
    expect(failed.step).toBe("clock");
    expect(failed.saw).toMatch(/^the clock of this machine is (299|300|301) s behind the server's/);
    expect(exitCode).toBe(1);
    expect(step("call").status).toBe("ok");
  });
});

describe("doctor on tokens", () => {
  const userToken = "a-user-token-of-sixteen-or-more";

  it("tells that there is none", async () => {
    const plane = await controlPlane();
    const { exitCode, stdout } = await toolResult(["doctor", "--url", plane.url]);
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^fail +token +there is no token: .*CODER_AGENT_TOKEN .* or give --token/m);
    expect(stdout).toMatch(/\nsomething is wrong: token\n$/);
  });

  it.each([
    ["that nobody has", "00000000-1111-4222-8333-444444444444", "the server does not know the token"],
    [
      "that is none",
      "not-a-token-of-any-kind",
      "this is no agent's token, which is a UUID: it has 23 characters",
    ],
    ["that looks like a user's", "AbCdEf0123-AbCdEfGhIjKlMnOpQrStUv", "this looks like the token of a user"],
    ["of a user", userToken, "this is the token of a user, whose endpoint takes it"],
  ])("tells a token %s", async (_what, given, said) => {
    const plane = await controlPlane({}, { adminToken: userToken });
    const { failed, steps } = await examine(plane.url, "--token", given);
    expect(failed.step).toBe("token");
    expect(failed.saw).toContain(said);
    expect(JSON.stringify(steps)).not.toContain(given);
  });

  it("tells a proxy that takes the token out of requests", async () => {
    const plane = await controlPlane();
    const { url } = await httpServer((request, response) => {
      const { "coder-session-token": _removed, ...headers } = request.headers;
      httpRequest(new URL(request.url ?? "/", plane.url), { headers }, (given) => {
        response.writeHead(given.statusCode ?? 500, given.headers);
        given.pipe(response);
      }).end();
    });
    const { failed } = await examine(url);
    expect(failed).toMatchObject({ step: "token", saw: expect.stringContaining("did not arrive") });
  });

  it("tells something between that answers for itself when there is a token", async () => {
    const plane = await controlPlane();
    const { url } = await httpServer((request, response) => {
      if (request.headers["coder-session-token"] !== undefined) {
        response.writeHead(400, { "Content-Type": "text/html" }).end("<p>Header not allowed");
        return;
      }
      httpRequest(new URL(request.url ?? "/", plane.url), (given) => {
        response.writeHead(given.statusCode ?? 500, given.headers);
        given.pipe(response);
      }).end();
    });
    const { failed } = await examine(url);
    expect(failed).toMatchObject({ step: "token", saw: expect.stringContaining("is another one: 400") });
  });

  it("hides a token that a server repeats", async () => {
    const { url } = await httpServer((request, response) => {
      const given = String(request.headers["coder-session-token"] ?? "none");
      const isFirst = given === "none";
      response.writeHead(isFirst ? 401 : 500, { "Content-Type": "application/json" });
      response.end(JSON.stringify({ message: `who is ${given}?` }));
    });
    const { failed } = await examine(url);
    expect(failed).toMatchObject({ step: "token", saw: expect.stringContaining("who is [hidden]?") });
  });
});

describe("doctor on versions", () => {
  it("warns of a server that is behind, and says which calls it lacks", async () => {
    const plane = await controlPlane({}, { serverVersion: { major: 2, minor: 7 } });
    const { healthy, step } = await examine(plane.url);
    expect(healthy).toBe(true);
    expect(step("version")).toMatchObject({
      status: "warn",
      saw: "the server is at API 2.7, behind 2.10; it may lack UpdateAppStatus, PushContextState",
      facts: { version: "2.7", newest: "2.10", missing: ["UpdateAppStatus", "PushContextState"] },
    });
    expect(step("call").status).toBe("ok");
  });

  it("fails where a version was asked for that the server does not have", async () => {
    const plane = await controlPlane({}, { serverVersion: { major: 2, minor: 7 } });
    const { failed } = await examine(plane.url, "--api-version", "2.8");
    expect(failed).toMatchObject({ step: "version", saw: expect.stringContaining("at API 2.7, behind 2.8") });
  });
});

describe("doctor on proxies that do not let WebSockets through", () => {
  const violation = 'WebSocket protocol violation: Connection header "" does not contain Upgrade';

  it.each<[string, Upgrade, string, number]>([
    ["answers with a page", (near) => near.end(answer(200, "<p>hi")), "was answered as any other (200)", 200],
    ["answers 400", (near) => near.end(answer(400, "Bad Request")), "was refused (400)", 400],
    [
      "answers 426",
      (near) => near.end(answer(426, violation, "text/plain")),
      "(426): WebSocket protocol",
      426,
    ],
    ["answers 403", (near) => near.end(answer(403, "no")), "was refused (403)", 403],
    [
      "answers 502",
      (near) => near.end(answer(502, "Bad Gateway")),
      "a proxy answers 502 to the WebSocket",
      502,
    ],
  ])("tells one that %s", async (_what, onUpgrade, said, status) => {
    const plane = await controlPlane();
    const { failed } = await examine(await proxyBefore(plane.url, onUpgrade));
    expect(failed).toMatchObject({ step: "websocket", facts: { status } });
    expect(failed.saw).toContain(said);
    expect(failed.advice).toContain("prox");
  });

  it("tells one that takes Upgrade and Connection out of the request", async () => {
    const plane = await controlPlane();
    const { failed } = await examine(
      await proxyBefore(plane.url, passOn(plane.url, /^(upgrade|connection)$/)),
    );
    expect(failed).toMatchObject({ step: "websocket", facts: { status: 426 } });
    expect(failed.advice).toContain("the headers Upgrade and Connection are removed on the way");
  });

  it("tells one that takes Upgrade out of the answer", async () => {
    const plane = await controlPlane();
    const url = await proxyBefore(plane.url, (near) => {
      near.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n");
    });
    const { failed } = await examine(url);
    expect(failed).toMatchObject({ step: "websocket", saw: expect.stringContaining("not of a WebSocket") });
  });

  it("tells one that cuts the connection", async () => {
    const plane = await controlPlane();
    const { failed } = await examine(await proxyBefore(plane.url, (near) => near.destroy()));
    expect(failed.step).toBe("websocket");
    expect(failed.saw).toContain("was cut when it was to become a WebSocket");
  });

  it("tells one that holds the request", async () => {
    const plane = await controlPlane();
    const { failed } = await examine(await proxyBefore(plane.url, () => {}), "--timeout", "1");
    expect(failed).toMatchObject({ step: "websocket", saw: "no answer within 1 s" });
  });
});

describe("doctor on a WebSocket that is open", () => {
  /** A server of the API up to the WebSocket. */
  async function apiWith(onSocket: (socket: import("ws").WebSocket) => void): Promise<string> {
    const server = createHttpServer((request, response) => {
      const status = request.headers["coder-session-token"] === undefined ? 401 : 426;
      response
        .writeHead(status, { "Content-Type": "application/json" })
        .end('{"message":"as the API says it"}');
    });
    const sockets = new WebSocketServer({ server });
    sockets.on("connection", onSocket);
    return `http://127.0.0.1:${await listening(server)}`;
  }

  it("tells one that is cut at once", async () => {
    const { failed } = await examine(await apiWith((socket) => socket.terminate()));
    expect(failed).toMatchObject({
      step: "ping",
      saw: expect.stringContaining("the WebSocket was cut at once after it had opened"),
    });
  });

  it("tells one that is closed with a reason", async () => {
    const { failed } = await examine(await apiWith((socket) => socket.close(1011, "no backend")));
    expect(failed).toMatchObject({ step: "ping", saw: expect.stringContaining("no backend") });
    expect(failed.facts["closeCode"]).toBe(1011);
  });

  it("tells one over which nothing comes back", async () => {
    const { failed } = await examine(await apiWith(() => {}), "--timeout", "1");
    expect(failed).toMatchObject({ step: "ping", saw: "no answer within 1 s" });
  });

  it("tells a call that fails", async () => {
    const server = createHttpServer();
    attachRpc(server, {
      authenticate: () => ({}),
      routes: (router) =>
        router.service(Agent, {
          getManifest: () => {
            throw new Error("the database is away");
          },
        }),
    });
    // without a token, this server does not refuse: what it says then is that of the upgrade
    const { failed, step } = await examine(`http://127.0.0.1:${await listening(server)}`);
    expect(step("ping").status).toBe("ok");
    expect(failed).toMatchObject({ step: "call", saw: expect.stringContaining("GetManifest failed") });
  });

  it("tells one that is cut when nothing is sent for a while", async () => {
    const plane = await controlPlane();
    const url = await proxyBefore(plane.url, (near, request, head) => {
      passOn(plane.url, /^$/)(near, request, head);
      near.setTimeout(300, () => near.destroy());
    });
    const { failed } = await examine(url, "--watch", "5");
    expect(failed.step).toBe("watch");
    expect(failed.saw).toMatch(/^the connection was cut after [\d.]+ s without traffic/);
    expect(failed.facts["idleSeconds"]).toBeGreaterThan(0.2);
  });
});
