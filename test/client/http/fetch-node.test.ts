import { getEventListeners } from "node:events";
import type { RequestListener } from "node:http";
import type { Socket } from "node:net";
import { pipeline, Readable } from "node:stream";
import { inspect } from "node:util";
import { Code } from "@connectrpc/connect";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { agentRequest } from "../../../src/client/http/agent-request.js";
import {
  HttpError,
  type NodeFetchOptions,
  nodeFetch,
  type ReinitError,
  reinitEvents,
} from "../../../src/client/index-node.js";
import { eventually, token } from "../../support/control-plane.js";
import { failure } from "../../support/echo.js";
import { connectProxy, httpServer } from "../../support/http-servers.js";
import { runs } from "../../support/scale.js";
import {
  certificate,
  closedPort,
  deafServer,
  noSockets,
  rawServer,
  refusingProxy,
  tlsServer,
} from "./fetch-ways.js";

const ca = certificate("ca");
const credentials = "somebody:proxy-password";
/** Nothing listens there. */
const nowhere = "http://127.0.0.1:9";

beforeEach(() => {
  for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"]) {
    vi.stubEnv(name, "");
    vi.stubEnv(name.toLowerCase(), "");
  }
});

afterEach(() => vi.unstubAllEnvs());

/** What a server hears, as its answer. */
const echo: RequestListener = async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const { method, url, headers } = request;
  response.setHeader("Content-Type", "application/json");
  response.end(JSON.stringify({ method, url, headers, body: Buffer.concat(chunks).toString() }));
};

const withCredentials = (url: string) => url.replace("http://", `http://${credentials}@`);

/** The error of a request of the agent's; neither the token nor a proxy's credentials are in it. */
async function refusal(url: string, options: NodeFetchOptions): Promise<HttpError> {
  const request = agentRequest(
    { url, token, fetch: nodeFetch(options) },
    { method: "POST", route: "me/x", body: {} },
  );
  const error = await failure(request);
  expect(error).toBeInstanceOf(HttpError);
  const shown = inspect(error, { depth: 10, showHidden: true });
  for (const secret of [token, "proxy-password", Buffer.from(credentials).toString("base64")]) {
    expect(shown).not.toContain(secret);
  }
  return error as HttpError;
}

describe("nodeFetch through a proxy", () => {
  it.each(["http", "https"])(
    "sends to an %s server what it is given, and gives its answer",
    async (scheme) => {
      const { url } = scheme === "http" ? await httpServer(echo) : await tlsServer(echo);
      const proxy = await connectProxy();
      const fetch = nodeFetch({
        proxy: withCredentials(proxy.url),
        tls: { ca },
        headers: { a: "1", b: "1" },
      });
      const response = await fetch(`${url}/path?x=y`, {
        method: "patch",
        headers: { b: "2", "Coder-Session-Token": token },
        body: '{"ä":1}',
      });
      expect(response).toBeInstanceOf(Response);
      expect([response.status, response.statusText, response.headers.get("content-type")]).toEqual([
        200,
        "OK",
        "application/json",
      ]);
      expect(await response.json()).toMatchObject({
        method: "PATCH",
        url: "/path?x=y",
        headers: {
          a: "1",
          b: "2",
          "coder-session-token": token,
          host: new URL(url).host,
          "content-length": "8",
        },
        body: '{"ä":1}',
      });
      expect(proxy.targets).toEqual([new URL(url).host]);
      expect(proxy.authorizations).toEqual([`Basic ${Buffer.from(credentials).toString("base64")}`]);
      await noSockets();
    },
  );

  it("goes by the environment as it is at the request, by NO_PROXY too; false is none", async () => {
    const plain = await httpServer(echo);
    const secret = await tlsServer(echo);
    const proxy = await connectProxy();
    const fetch = nodeFetch({ tls: { ca } });
    const counts = async (url: string, way = fetch) => {
      const before = proxy.targets.length;
      await (await way(url)).text();
      return proxy.targets.length - before;
    };
    expect([await counts(plain.url), await counts(secret.url)]).toEqual([0, 0]);
    vi.stubEnv("HTTP_PROXY", proxy.url);
    expect([await counts(plain.url), await counts(secret.url)]).toEqual([1, 0]);
    vi.stubEnv("HTTPS_PROXY", proxy.url);
    expect([await counts(plain.url), await counts(secret.url)]).toEqual([1, 1]);
    const direct = nodeFetch({ proxy: false, tls: { ca } });
    expect([await counts(plain.url, direct), await counts(secret.url, direct)]).toEqual([0, 0]);
    vi.stubEnv("NO_PROXY", "127.0.0.1");
    expect([await counts(plain.url), await counts(secret.url)]).toEqual([0, 0]);
    const given = nodeFetch({ proxy: proxy.url, tls: { ca } });
    expect([await counts(plain.url, given), await counts(secret.url, given)]).toEqual([1, 1]);
  });

  it.each([
    [
      "407",
      "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n",
      "it refused to connect: status 407 Proxy Authentication Required",
    ],
    // what a proxy says must not be taken for the server's answer
    [
      "201 and JSON",
      "HTTP/1.1 201 OK\r\nContent-Length: 2\r\n\r\n{}",
      "it refused to connect: status 201 Created",
    ],
    ["nothing", "", "Proxy connection ended before receiving CONNECT response"],
    [
      "the credentials",
      `HTTP/1.1 407 No\r\n${Buffer.from(credentials).toString("base64")} proxy-password\r\n\r\n`,
      'Invalid header from proxy CONNECT response: "[hidden] [hidden]"',
    ],
  ])("that answers %s fails, and says so", async (_what, head, reason) => {
    const proxy = await refusingProxy(head);
    const error = await refusal(nowhere, { proxy: withCredentials(proxy) });
    expect(error).toMatchObject({
      status: undefined,
      code: Code.Unavailable,
      reason: `the proxy ${proxy}: ${reason}`,
    });
    await noSockets();
  });

  it("that is not there fails with its address", async () => {
    const error = await refusal("https://plane.example", { proxy: withCredentials(nowhere) });
    expect(error.reason).toBe(`the proxy ${nowhere}: connect ECONNREFUSED 127.0.0.1:9`);
    expect(error.cause).toMatchObject({ cause: { code: "ECONNREFUSED" } });
  });

  it.each([
    `${credentials}@proxy:1`,
    `http://${credentials}@proxy:port`,
    `socks5://${credentials}@proxy:1`,
    `http://%zz:proxy-password@proxy:1`,
  ])("with the URL %s is refused without it", async (proxy) => {
    expect((await refusal(nowhere, { proxy })).reason).toMatch(/^the proxy's URL cannot be used: /);
  });
});

describe("nodeFetch with certificates", () => {
  it.each(["directly", "through a proxy"])(
    "takes no server of an unknown authority, and shows its own where one is wanted, %s",
    async (way) => {
      const { url } = await tlsServer(echo, { ca, requestCert: true, rejectUnauthorized: true });
      const proxy = way === "directly" ? false : (await connectProxy()).url;
      expect((await refusal(url, { proxy })).reason).toContain("certificate");
      expect(await refusal(url, { proxy, tls: { ca } })).toMatchObject({ code: Code.Unavailable });
      const own = { ca, cert: certificate("client"), key: certificate("client.key") };
      expect((await nodeFetch({ proxy, tls: own })(url)).status).toBe(200);
      await noSockets();
    },
  );

  it("checks the name that the certificate is for", async () => {
    const { url } = await tlsServer(echo);
    const error = await refusal(url, { tls: { ca, servername: "other.example" } });
    expect(error.reason).toContain("other.example");
    expect((await nodeFetch({ tls: { ca, servername: "localhost" } })(url)).status).toBe(200);
    await noSockets();
  });
});

/** The moments of a request to a server with TLS behind a proxy, by where it stands still. */
const moments: Record<string, () => Promise<{ url: string; proxy: string | false }>> = {
  "before the proxy answers": async () => ({ url: nowhere, proxy: await deafServer() }),
  "before TLS is agreed, through a proxy": async () => ({
    url: (await deafServer()).replace("http", "https"),
    proxy: (await connectProxy()).url,
  }),
  "before TLS is agreed": async () => ({
    url: (await deafServer()).replace("http", "https"),
    proxy: false,
  }),
  "before the head comes, through a proxy": async () => ({
    url: (await tlsServer(() => {})).url,
    proxy: (await connectProxy()).url,
  }),
  "before the head comes": async () => ({ url: await deafServer(), proxy: false }),
};

describe("the end of a request", () => {
  it.each(Object.keys(moments))("%s leaves nothing open", async (moment) => {
    const { url, proxy } = (await moments[moment]?.()) ?? { url: nowhere, proxy: false };
    const caller = new AbortController();
    const response = nodeFetch({ proxy, tls: { ca } })(url, { signal: caller.signal });
    const ended = failure(response);
    // it stands still
    await new Promise((resolve) => setTimeout(resolve, 50));
    caller.abort(new Error("that is enough"));
    expect(await ended).toBe(caller.signal.reason);
    await noSockets();
    expect(getEventListeners(caller.signal, "abort")).toEqual([]);
  });

  it("before it has begun sends nothing", async () => {
    let requests = 0;
    const { url } = await httpServer((_request, response) => {
      requests++;
      response.end();
    });
    const signal = AbortSignal.abort(new Error("never mind"));
    const proxy = await connectProxy();
    for (const options of [{ proxy: false as const }, { proxy: proxy.url }, {}]) {
      expect(await failure(nodeFetch(options)(url, { signal }))).toBe(signal.reason);
    }
    expect([requests, proxy.targets.length]).toEqual([0, 0]);
    await noSockets();
  });

  it.each(["a read", "nobody", "a proxy and a read"])(
    "in the body, with %s waiting, ends the body",
    async (how) => {
      const { url } = await tlsServer((_request, response) => void response.write("begin"));
      const proxy = how.includes("proxy") && (await connectProxy()).url;
      const caller = new AbortController();
      const response = await nodeFetch({ proxy, tls: { ca } })(url, { signal: caller.signal });
      const reader = response.body?.getReader();
      let waiting: Promise<unknown> = Promise.resolve();
      if (how.includes("read")) {
        expect(Buffer.from((await reader?.read())?.value ?? "").toString()).toBe("begin");
        waiting = failure(reader?.read() ?? Promise.resolve());
      }
      caller.abort(new Error("that is enough"));
      if (how.includes("read")) expect(await waiting).toBe(caller.signal.reason);
      expect(await failure(reader?.read() ?? Promise.resolve())).toBe(caller.signal.reason);
      await noSockets();
      expect(getEventListeners(caller.signal, "abort")).toEqual([]);
    },
  );

  it("at any moment leaves nothing open and nothing listening", async () => {
    const { url } = await tlsServer((_request, response) => {
      response.write("x".repeat(100_000));
      setImmediate(() => response.end("y"));
    });
    const { url: proxyUrl } = await connectProxy();
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    await fc.assert(
      fc.asyncProperty(fc.nat(60), fc.boolean(), async (turns, isProxied) => {
        const caller = new AbortController();
        const fetch = nodeFetch({ proxy: isProxied && proxyUrl, tls: { ca } });
        const text = fetch(url, { signal: caller.signal }).then((response) => response.text());
        const outcome = text.then(
          (whole) => whole.length,
          (error: unknown) => error,
        );
        for (let i = 0; i < turns; i++) await turn();
        caller.abort(new Error("that is enough"));
        expect([100_001, caller.signal.reason]).toContain(await outcome);
        await noSockets();
        expect(getEventListeners(caller.signal, "abort")).toEqual([]);
      }),
      runs(60),
    );
  });

  it("of many on one signal leaves no listener on it", async () => {
    const { url } = await httpServer(echo);
    const { signal } = new AbortController();
    const fetch = nodeFetch({ proxy: false });
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on("warning", onWarning);
    for (let round = 0; round < 20; round++) {
      await Promise.all(Array.from({ length: 5 }, async () => (await fetch(url, { signal })).text()));
    }
    await noSockets();
    process.off("warning", onWarning);
    expect(warnings).toEqual([]);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});

describe("the body of an answer", () => {
  it("that is endless and not read makes the server wait, and is closed when it is canceled", async () => {
    let sentBytes = 0;
    const piece = Buffer.alloc(64 * 1024);
    const { url } = await tlsServer((_request, response) => {
      const endless = new Readable({
        read() {
          sentBytes += piece.length;
          this.push(piece);
        },
      });
      pipeline(endless, response, () => {});
    });
    const { url: proxy } = await connectProxy();
    const response = await nodeFetch({ proxy, tls: { ca } })(url);
    let before = -1;
    await eventually(async () => {
      const isStill = before === sentBytes;
      before = sentBytes;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return isStill && before === sentBytes;
    }, "a server that waits");
    expect(sentBytes).toBeLessThan(64 * 1024 * 1024);
    await response.body?.cancel();
    await noSockets();
  });

  it("comes as it is sent, however it is cut", async () => {
    let pieces: readonly Uint8Array[] = [];
    const { url } = await httpServer(async (_request, response) => {
      for (const piece of pieces) {
        response.write(piece);
        await new Promise((resolve) => setImmediate(resolve));
      }
      response.end();
    });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 5000 })), async (sent) => {
        pieces = sent;
        const response = await nodeFetch({ proxy: false })(url);
        const received = Buffer.from(await response.arrayBuffer());
        expect(received.equals(Buffer.concat(sent))).toBe(true);
      }),
      runs(50),
    );
    await noSockets();
  });

  it("comes piece by piece, as server-sent events do", async () => {
    let send: ((text: string) => void) | undefined;
    const { url } = await tlsServer((_request, response) => {
      response.setHeader("Content-Type", "text/event-stream").flushHeaders();
      send = (text) => void response.write(text);
    });
    const { url: proxy } = await connectProxy();
    const response = await nodeFetch({ proxy, tls: { ca } })(url);
    const reader = response.body?.getReader();
    for (const text of ["data: 1\n\n", ": ping\n\n", "data: 2\n\n"]) {
      send?.(text);
      expect(Buffer.from((await reader?.read())?.value ?? "").toString()).toBe(text);
    }
    await reader?.cancel();
    await noSockets();
  });

  it("that is cut off is an error that says so", async () => {
    const url = await rawServer((socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"));
    expect((await refusal(url, { proxy: false })).reason).toMatch(
      /^the connection was lost in the middle of the answer: /,
    );
    await noSockets();
  });

  it.each([204, 205, 304])("of status %i is none", async (status) => {
    const { url } = await httpServer((_request, response) => response.writeHead(status).end());
    const response = await nodeFetch({ proxy: false })(url);
    expect([response.status, response.body]).toEqual([status, null]);
    await noSockets();
  });

  it("does not keep its connection open, whatever the server would like", async () => {
    const url = await rawServer((socket) =>
      socket.write("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}"),
    );
    expect(await (await nodeFetch({ proxy: false })(url)).json()).toEqual({});
    await noSockets();
  });
});

describe("an answer", () => {
  it("that is a refusal is given as it is, and a redirect is not followed", async () => {
    const hosts: (string | undefined)[] = [];
    const { url } = await tlsServer((request, response) => {
      hosts.push(request.headers.host);
      response.writeHead(307, { Location: "https://localhost:9/", "Content-Type": "application/json" });
      response.end('{"message":"over there"}');
    });
    const { url: proxy, targets } = await connectProxy();
    const options = { proxy, tls: { ca } };
    expect(await refusal(url, options)).toMatchObject({ status: 307, reason: "over there" });
    expect((await nodeFetch(options)(url)).headers.get("location")).toBe("https://localhost:9/");
    expect(new Set(targets)).toEqual(new Set([new URL(url).host]));
    expect(hosts).toHaveLength(2);
  });

  it.each([
    [
      "an upgrade",
      "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
      "the connection was closed before an answer came",
    ],
    ["nothing", "", "socket hang up"],
    ["of no known status", "HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n", 'init["status"]'],
    ["not HTTP", `SSH-2.0 ${token}\r\n`, "Parse Error"],
  ])("that is %s is an error", async (_what, bytes, reason) => {
    const url = await rawServer((socket: Socket) => socket.end(bytes));
    expect((await refusal(url, { proxy: false })).reason).toContain(reason);
    await noSockets();
  });

  it("that does not come, as nothing listens, says so as the runtime does", async () => {
    const url = await closedPort();
    for (const options of [{}, { proxy: false as const }, { tls: { ca } }]) {
      expect(await refusal(url, options)).toMatchObject({
        code: Code.Unavailable,
        reason: `connect ECONNREFUSED ${new URL(url).host}`,
      });
    }
  });
});

describe("what nodeFetch does not do", () => {
  it.each<[string, Parameters<typeof fetch>, string]>([
    ["a Request", [new Request(nowhere)], "give a URL"],
    ["no URL", ["plane"], "it must be such as https://host/path"],
    ["a URL of files", ["file:///etc/passwd"], "it must be such as https://host/path"],
    ["to follow redirects", [nowhere, { redirect: "follow" }], 'redirect: "follow" cannot be had here'],
    ["a form", [nowhere, { body: new FormData() }], "give a text or a Uint8Array"],
    ["a bad header", [nowhere, { headers: { a: `${token}\n${token}` } }], "a header has characters"],
  ])("%s is refused", async (_what, [input, init], reason) => {
    for (const options of [{}, { proxy: false as const }]) {
      const error = await failure(nodeFetch(options)(input, init));
      expect(error).toBeInstanceOf(TypeError);
      expect(error.message).toContain(reason);
      expect(inspect(error)).not.toContain(token);
    }
  });

  it("credentials in the URL are sent, as with WebSockets, and are in no error", async () => {
    const { url } = await httpServer(echo);
    const answer = await (await nodeFetch()(withCredentials(url))).json();
    expect(answer).toMatchObject({
      headers: { authorization: `Basic ${Buffer.from(credentials).toString("base64")}` },
    });
    await refusal(withCredentials(nowhere), {});
  });
});

describe("C1.60 the stream of reinit events", () => {
  it("goes through a proxy with certificates, and ends with its signal", async () => {
    const workspaceId = "d48dab18-46fd-49d8-a330-7251f4b13e70";
    const claim = { workspace_id: workspaceId, reason: "prebuild_claimed" };
    const { url } = await tlsServer((_request, response) => {
      response.setHeader("Content-Type", "text/event-stream");
      response.write(`event: ping\n\nevent: data\ndata: ${JSON.stringify(claim)}\n\n`);
    });
    const proxy = await connectProxy();
    const caller = new AbortController();
    const errors: ReinitError[] = [];
    const events = reinitEvents({
      url,
      token,
      fetch: nodeFetch({ proxy: proxy.url, tls: { ca } }),
      signal: caller.signal,
      onError: (error) => errors.push(error),
    });
    expect((await events.next()).value).toEqual({ workspaceId, reason: "prebuild_claimed" });
    await noSockets();
    caller.abort();
    expect(await events.next()).toMatchObject({ done: true });
    expect([errors, proxy.targets]).toEqual([[], [new URL(url).host]]);
    expect(getEventListeners(caller.signal, "abort")).toEqual([]);
  });
});
