import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { type DerpMapUrlOptions, derpMapUrl } from "../../../../src/server/index.js";
import { derpMapJson } from "../../../../src/server/tailnet/derp/derp-map-json.js";
import { watchTimers } from "../../../leaks/live-things.js";
import { eventually } from "../../../support/control-plane.js";
import { failure } from "../../../support/echo.js";
import { httpServer } from "../../../support/http-servers.js";
import { derpMap } from "./maps.js";

const jsonOf = (hostName: string) => JSON.stringify(derpMapJson(derpMap(hostName)));
type Answer = (response: ServerResponse, headers: IncomingHttpHeaders) => void;
const good =
  (hostName: string): Answer =>
  (response) =>
    response.end(jsonOf(hostName));

/** A server that answers as it is told at the time. */
async function serving(first: Answer) {
  const state = { answer: first, requests: 0, url: "" };
  const { url } = await httpServer((request, response) => {
    state.requests++;
    state.answer(response, request.headers);
  });
  state.url = `${url}/relays.json?key=secret`;
  return state;
}

async function opened(url: string, options: DerpMapUrlOptions = {}) {
  const problems: string[] = [];
  const onProblem = ({ message }: Error) => void problems.push(message);
  const source = await derpMapUrl(url, { intervalMs: 5, onProblem, ...options });
  onTestFinished(() => source.close());
  const hostName = () => source.current.regions["7"]?.nodes[0]?.hostName;
  return { source, problems, hostName };
}

describe("derpMapUrl", () => {
  it("has the map of the server, and tells when it is another", async () => {
    const server = await serving(good("a.example.com"));
    const { source, hostName } = await opened(server.url, { headers: { Authorization: "Bearer x" } });
    expect(hostName()).toBe("a.example.com");
    const told = vi.fn();
    source.subscribe(told);
    let authorization: string | undefined;
    server.answer = (response, headers) => {
      authorization = headers.authorization;
      good("b.example.com")(response, headers);
    };
    await eventually(() => told.mock.calls.length > 0, "the news");
    expect(hostName()).toBe("b.example.com");
    expect(authorization).toBe("Bearer x");
    await eventually(() => server.requests > 6, "some more requests");
    expect(told).toHaveBeenCalledTimes(1);
  });

  it("asks for what is newer than the tag that it has, and only for that", async () => {
    const tags: (string | undefined)[] = [];
    const server = await serving((response, headers) => {
      const tag = headers["if-none-match"];
      tags.push(tag);
      if (tag === '"1"') response.writeHead(304).end();
      else response.setHeader("ETag", '"1"').end(jsonOf("a.example.com"));
    });
    const { hostName, problems } = await opened(server.url);
    await eventually(() => tags.length >= 3, "some requests");
    expect(tags.slice(0, 3)).toEqual([undefined, '"1"', '"1"']);
    expect(hostName()).toBe("a.example.com");
    server.answer = (response) => response.setHeader("ETag", '"2"').end(jsonOf("b.example.com"));
    await eventually(() => hostName() === "b.example.com", "the next map");
    expect(problems).toEqual([]);
  });

  it("keeps the last good map through everything that a server does, and says each once", async () => {
    const server = await serving(good("a.example.com"));
    const { hostName, problems } = await opened(server.url, { timeoutMs: 200, maxBytes: 2000 });
    const where = server.url.replace("?key=secret", "");
    const cases: [Answer, string][] = [
      [(response) => response.writeHead(500).end("secret"), "the server answered 500"],
      [(response) => response.end("{"), `what is at ${where} is not a map of relays`],
      [(response) => response.end(" ".repeat(2001)), "the answer is longer than 2000 bytes"],
      [(response) => void response.write("{"), "it took longer than 200 ms"],
      [(response) => void response.destroy(), `the map of relays at ${where} could not be fetched: `],
    ];
    for (const [i, [answer, problem]] of cases.entries()) {
      server.answer = answer;
      await eventually(() => problems.length > i, problem);
      expect(problems[i]).toContain(problem);
    }
    const seen = server.requests;
    await eventually(() => server.requests > seen + 3, "some more requests");
    expect(problems).toHaveLength(cases.length);
    expect(problems.join()).not.toContain("secret");
    expect(hostName()).toBe("a.example.com");
    server.answer = good("b.example.com");
    await eventually(() => hostName() === "b.example.com", "the map that is good again");
  });

  it("says at the beginning what is wrong", async () => {
    const server = await serving((response) => response.writeHead(404).end());
    expect((await failure(derpMapUrl(server.url))).message).toBe(
      `the map of relays at ${server.url.replace("?key=secret", "")} could not be fetched: the server answered 404`,
    );
    server.answer = (response) => response.end("[]");
    expect((await failure(derpMapUrl(server.url))).message).toContain("is not a map of relays");
    for (const url of ["relays.json", "ftp://example.com/", "http://ada:secret@example.com/"]) {
      const refused = await failure(derpMapUrl(url));
      expect(refused).toBeInstanceOf(TypeError);
      expect(refused.message).toContain("the URL of a map of relays must");
      expect(refused.message).not.toContain("secret");
    }
  });

  it("ends with its signal, also in the middle of the first load, and leaves no timer", async () => {
    const timers = watchTimers();
    const server = await serving(() => {});
    const end = new AbortController();
    const first = derpMapUrl(server.url, { signal: end.signal });
    await eventually(() => server.requests === 1, "the request");
    end.abort(new Error("no longer wanted"));
    expect((await failure(first)).message).toContain("no longer wanted");
    server.answer = good("a.example.com");
    const source = await derpMapUrl(server.url, { intervalMs: 1 });
    server.answer = () => {};
    const seen = server.requests;
    await eventually(() => server.requests > seen, "a request that is not answered");
    await source.close();
    await eventually(() => timers().length === 0, "no timer is left");
  });
});
