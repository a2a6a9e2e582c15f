import { getEventListeners } from "node:events";
import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { agentRequest } from "../../../src/client/http/agent-request.js";
import { type AgentHttpOptions, HttpError, type TokenProvider } from "../../../src/client/index-node.js";
import { token } from "../../support/control-plane.js";
import { failure } from "../../support/echo.js";
import { httpServer } from "../../support/http-servers.js";

/** A server that answers everything alike. */
async function answering(status: number, contentType: string | undefined, body: string) {
  const { url } = await httpServer((_request, response) => {
    response.writeHead(status, contentType === undefined ? {} : { "Content-Type": contentType }).end(body);
  });
  return url;
}

async function refusal(options: Partial<AgentHttpOptions> & { url: string }): Promise<HttpError> {
  const error = await failure(agentRequest({ token, ...options }, { method: "GET", route: "me/x" }));
  expect(error).toBeInstanceOf(HttpError);
  expect(`${error.stack} ${error.cause}`).not.toContain(token);
  return error as HttpError;
}

describe("C1.16 an answer that is a refusal", () => {
  it.each([
    ["text/html", "<p>", 'unexpected non-JSON response "text/html"', "<p>"],
    ["application/json-seq", "{}", 'unexpected non-JSON response "application/json-seq"', "{}"],
    [undefined, "", 'unexpected non-JSON response ""', "no response body"],
    ["text/plain", "x".repeat(2049), 'unexpected non-JSON response "text/plain"', `${"x".repeat(2048)}...`],
    ["application/json", "", "empty response body", undefined],
    ["application/json; charset=utf-8", '{"message":"no","detail":"why"}', "no", "why"],
    [
      "application/json",
      `{"detail":"${"x".repeat(1024)}"}`,
      "unexpected status code 418, response has no message",
      `{"detail":"${"x".repeat(1013)}...`,
    ],
    ["application/json", "{", "unexpected status code 418, response has no message", "{"],
  ])("of %s with %j has its reason and detail", async (contentType, body, reason, detail) => {
    const url = await answering(418, contentType, body);
    expect(await refusal({ url })).toMatchObject({ status: 418, reason, detail });
  });

  it.each([
    ["the header", token],
    [
      "JSON",
      JSON.stringify({ message: `no ${token}`, detail: token, validations: [{ field: "t", detail: token }] }),
    ],
  ])("that repeats the token, as %s, is shown without it", async (_what, body) => {
    const error = await refusal({ url: await answering(400, "application/json", body) });
    expect(JSON.stringify(error)).not.toContain(token);
    expect(error.rawMessage).toContain("[hidden]");
  });
});

describe("a request beside the connection", () => {
  it("takes the token of any source; a provider gives the one that it has (C1.31)", async () => {
    const seen: unknown[] = [];
    const { url } = await httpServer((request, response) => {
      seen.push(request.headers["coder-session-token"]);
      response.end();
    });
    const provider: TokenProvider = { get: async () => "known", refresh: async () => "fresh" };
    for (const source of ["text", provider, () => "sync", async () => "async", ""]) {
      await agentRequest({ url, token: source }, { method: "GET", route: "me/x" });
    }
    expect(seen).toEqual(["text", "known", "sync", "async", undefined]);
  });

  it("ends in time also while its token is got", async () => {
    const source = (signal: AbortSignal) =>
      new Promise<string>((_resolve, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason)),
      );
    expect(await refusal({ url: "http://127.0.0.1:9", token: source, timeoutMs: 20 })).toMatchObject({
      code: Code.DeadlineExceeded,
      reason: "no answer within 20 ms",
    });
  });

  it("says why its token could not be got", async () => {
    const source = () => Promise.reject(new Error("the vault is closed"));
    expect(await refusal({ url: "http://127.0.0.1:9", token: source })).toMatchObject({
      code: Code.Unavailable,
      reason: "the vault is closed",
    });
  });

  it.each([`${token}\n${token}`, `${token}\0`, `${token}€`])(
    "with the token %j is refused without it",
    async (bad) => {
      expect(await refusal({ url: "http://127.0.0.1:9", token: bad })).toMatchObject({
        code: Code.InvalidArgument,
        reason: "the token has characters that no header can have",
      });
    },
  );

  it("reads an answer in one piece up to a bound, and shows nothing of one that is not JSON", async () => {
    const secret = `{"private_key":"${token}`;
    expect(await refusal({ url: await answering(200, "application/json", secret) })).toMatchObject({
      code: Code.Internal,
      reason: "the answer is not JSON",
      cause: undefined,
    });
    const url = await answering(200, "application/json", JSON.stringify("x".repeat(4 * 1024 * 1024)));
    expect(await refusal({ url })).toMatchObject({ reason: "the answer is longer than 4194304 bytes" });
    const refused = await answering(500, "text/plain", "x".repeat(65 * 1024));
    expect(await refusal({ url: refused })).toMatchObject({ status: 500, detail: `${"x".repeat(2048)}...` });
  });

  it("leaves nothing behind on the signal of its caller", async () => {
    const url = await answering(200, undefined, "");
    const { signal } = new AbortController();
    const counts = { add: 0, remove: 0 };
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      counts.add++;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      counts.remove++;
      remove(...args);
    };
    await agentRequest({ url, token, signal }, { method: "GET", route: "me/x" });
    expect(counts).toEqual({ add: 1, remove: 1 });
  });

  it("made 10,000 times leaves nothing on the signal, whichever way each ends", async () => {
    const caller = new AbortController();
    let listening = 0;
    const answers: (() => Response)[] = [
      () => new Response("{}"),
      () => new Response("no", { status: 500 }),
      () => {
        throw new TypeError("fetch failed");
      },
    ];
    let made = 0;
    const fakeFetch: typeof fetch = async (_url, init) => {
      listening = Math.max(listening, getEventListeners(caller.signal, "abort").length);
      init?.signal?.throwIfAborted();
      return answers[made++ % answers.length]?.() ?? Response.error();
    };
    const { signal } = caller;
    const options: AgentHttpOptions = { url: "http://plane.example", token, signal, fetch: fakeFetch };
    for (let i = 0; i < 10_000; i++) {
      const timeoutMs = i % 2 === 0 ? 1000 : Infinity;
      await agentRequest({ ...options, timeoutMs }, { method: "GET", route: "me/x" }).catch(() => {});
    }
    expect([made, listening]).toEqual([10_000, 1]);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});
