import { getEventListeners } from "node:events";
import type { Server } from "node:http";
import { connect, type Socket } from "node:net";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { dialAgent } from "../../src/client/index-node.js";
import { Agent } from "../../src/gen/coder/agent/v2/agent_pb.js";
import { Waits } from "../../src/server/answer-waits.js";
import {
  type AgentApiOptions,
  attachRpc,
  createAgentApi,
  type DialRequest,
  MemoryStore,
  type RpcEndpointOptions,
  startControlPlane,
} from "../../src/server/index.js";
import { watchTimers } from "../leaks/live-things.js";
import { eventually } from "../support/control-plane.js";
import { echoRoutes } from "../support/echo.js";
import { httpServer } from "../support/http-servers.js";
import { rawRequest, upgradeLines } from "../support/raw-http.js";

const path = "/api/v2/workspaceagents/me/rpc";
const reinit = "/api/v2/workspaceagents/me/reinit";
const following = "/api/v2/workspaceagents/11111111-2222-4333-8444-555555555555/logs?follow";
const tooLong = { status: 503, body: '{"message":"The answer took too long. Try again."}\n' };
const closing = { status: 503, body: '{"message":"The server is closing. Try again."}\n' };

/** An `authenticate` that never returns, and what it was asked. */
function hanging() {
  const asked: DialRequest[] = [];
  const authenticate = (request: DialRequest) => {
    asked.push(request);
    return new Promise<never>(() => {});
  };
  return { asked, authenticate };
}

async function endpointThatHangs(options: Partial<RpcEndpointOptions<unknown>> = {}) {
  const { server, url } = await httpServer();
  const { asked, authenticate } = hanging();
  const endpoint = attachRpc(server, { authenticate, routes: echoRoutes, ...options });
  onTestFinished(() => endpoint.close());
  return { server, url, asked, endpoint };
}

async function apiThatHangs(options: Partial<AgentApiOptions> = {}) {
  const { server, url } = await httpServer();
  const { asked, authenticate } = hanging();
  const api = createAgentApi({
    store: new MemoryStore(),
    authenticate,
    authenticateUser: authenticate,
    ...options,
  });
  api.attach(server);
  onTestFinished(() => api.close());
  return { server, url, asked, api };
}

const connections = (server: Server) =>
  new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count)));

async function noConnection(server: Server): Promise<void> {
  let count = -1;
  const look = () => void connections(server).then((now) => (count = now));
  await eventually(() => {
    look();
    return count === 0;
  }, "no connection is left");
}

/** A client that has asked and waits. */
async function waiting(url: string, lines: readonly string[]): Promise<Socket> {
  const { port, hostname, host } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {});
  onTestFinished(() => void socket.destroy());
  const [first, ...rest] = lines;
  socket.write([first, `Host: ${host}`, ...rest, "", ""].join("\r\n"));
  return socket;
}

const requests = {
  "an agent's upgrade": upgradeLines(path),
  "a request for the RPC that is no upgrade": [`GET ${path} HTTP/1.1`],
  "a follower's upgrade": upgradeLines(following),
  "an agent's request for events": [`GET ${reinit} HTTP/1.1`],
  "a user's request": [`GET ${following} HTTP/1.1`],
};

describe("an authenticate that does not return", () => {
  it.each(Object.entries(requests))("ends %s with 503 after its time", async (_what, lines) => {
    const { url, asked } = await apiThatHangs({ authenticateTimeoutMs: 50 });
    expect(await rawRequest(url, lines)).toMatchObject(tooLong);
    expect(asked).toHaveLength(1);
    expect(asked[0]?.signal.aborted).toBe(true);
  });

  it.each(Object.entries(requests))(
    "is told when the client of %s leaves, which is forgotten",
    async (_what, lines) => {
      const { server, url, asked } = await apiThatHangs();
      for (const leave of [(socket: Socket) => socket.end(), (socket: Socket) => socket.resetAndDestroy()]) {
        asked.length = 0;
        const socket = await waiting(url, lines);
        await eventually(() => asked.length === 1, "the question");
        expect(asked[0]?.signal.aborted).toBe(false);
        leave(socket);
        await eventually(() => asked[0]?.signal.aborted === true, "the end of the wait");
        await noConnection(server);
      }
    },
  );

  it.each(Object.entries(requests))("ends %s at once when the API is closed", async (_what, lines) => {
    const { url, asked, api } = await apiThatHangs();
    const answer = rawRequest(url, lines);
    await eventually(() => asked.length === 1, "the question");
    await api.close();
    expect(await answer).toMatchObject(closing);
    expect(asked[0]?.signal.aborted).toBe(true);
  });

  it("holds no upgrade of attachRpc: not after its time, not after the client, not after the endpoint", async () => {
    const { server, url, endpoint, asked } = await endpointThatHangs({ authenticateTimeoutMs: 2_000 });
    const gone = await waiting(url, upgradeLines(path));
    await eventually(() => asked.length === 1, "the first question");
    gone.end();
    await noConnection(server);
    expect(await rawRequest(url, upgradeLines(path))).toMatchObject(tooLong);
    const last = rawRequest(url, upgradeLines(path));
    await eventually(() => asked.length === 3, "the last question");
    await endpoint.close();
    expect(await last).toMatchObject(closing);
    await noConnection(server);
    expect(asked.map(({ signal }) => signal.aborted)).toEqual([true, true, true]);
  });

  it("ends a dial of a client with what to do", async () => {
    const { url } = await endpointThatHangs({ authenticateTimeoutMs: 50 });
    await expect(dialAgent({ url, token: "x" })).rejects.toMatchObject({
      status: 503,
      reason: "The answer took too long. Try again.",
    });
  });

  it("ends calls over Connect with unavailable", async () => {
    const { url, asked, api } = await apiThatHangs({ authenticateTimeoutMs: 50 });
    const client = createClient(Agent, createConnectTransport({ baseUrl: url, httpVersion: "1.1" }));
    const call = () => client.getManifest({}).catch((error: unknown) => ConnectError.from(error).code);
    expect(await call()).toBe(Code.Unavailable);
    expect(asked[0]?.signal.aborted).toBe(true);
    const slow = await apiThatHangs();
    const other = createClient(Agent, createConnectTransport({ baseUrl: slow.url, httpVersion: "1.1" }));
    const last = other.getManifest({}).catch((error: unknown) => ConnectError.from(error).code);
    await eventually(() => slow.asked.length === 1, "the question");
    await Promise.all([slow.api.close(), api.close()]);
    expect(await last).toBe(Code.Unavailable);
  });

  it("lets a control plane of its own end too", async () => {
    const { asked, authenticate } = hanging();
    const plane = await startControlPlane({ authenticate });
    const gone = await waiting(plane.url, upgradeLines(path));
    await eventually(() => asked.length === 1, "the question");
    gone.end();
    await eventually(() => asked[0]?.signal.aborted === true, "the end of the wait");
    const answer = rawRequest(plane.url, upgradeLines(path));
    await eventually(() => asked.length === 2, "the second question");
    await plane.close();
    expect(await answer).toMatchObject(closing);
  });

  it("leaves no timer, listener or socket of many that came", async () => {
    const timers = watchTimers();
    const { server, url, asked, api } = await apiThatHangs({ authenticateTimeoutMs: 200 });
    const all = Object.values(requests);
    const lines = (i: number) => all[i % all.length] ?? [];
    const clients = await Promise.all(Array.from({ length: 50 }, (_, i) => waiting(url, lines(i))));
    await eventually(() => asked.length === clients.length, "all questions");
    // a third leaves, a third waits for its answer, and a third for the end
    for (const [i, client] of clients.entries()) if (i % 3 === 0) client.end();
    await eventually(() => asked.every(({ signal }) => signal.aborted), "the end of all waits");
    const late = await Promise.all(Array.from({ length: 10 }, (_, i) => waiting(url, lines(i))));
    await eventually(() => asked.length === clients.length + late.length, "all questions");
    await api.close();
    for (const client of [...clients, ...late]) client.end();
    await noConnection(server);
    expect(asked.flatMap(({ signal }) => getEventListeners(signal, "abort"))).toEqual([]);
    await eventually(() => timers().length === 0, "no timer is left").catch(() => {});
    expect(timers()).toEqual([]);
  });
});

describe("an authenticate that returns", () => {
  it("late is not heard, whatever it says", async () => {
    let answer = (_error: Error) => {};
    const { url, endpoint } = await endpointThatHangs({
      authenticateTimeoutMs: 50,
      authenticate: () => new Promise((_resolve, reject) => (answer = reject)),
    });
    expect(await rawRequest(url, upgradeLines(path))).toMatchObject(tooLong);
    answer(new Error("too late"));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(endpoint.sessionCount).toBe(0);
  });

  it("in time has a signal that stays, and a session that outlives the limit", async () => {
    const signals: AbortSignal[] = [];
    const { url } = await endpointThatHangs({
      authenticateTimeoutMs: 100,
      authenticate: ({ signal }) => void signals.push(signal),
    });
    const connection = await dialAgent({ url, token: "x" });
    await new Promise((resolve) => setTimeout(resolve, 200));
    await connection.ping();
    await connection.close();
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    expect(signals.flatMap((signal) => getEventListeners(signal, "abort"))).toEqual([]);
  });

  it("after the endpoint was closed makes no session", async () => {
    const { url, endpoint, server } = await endpointThatHangs({ authenticate: () => ({}) });
    server.on("upgrade", (request, socket, head) => void endpoint.upgrade(request, socket, head));
    await endpoint.close();
    expect(await rawRequest(url, upgradeLines(path))).toMatchObject(closing);
  });
});

describe("the limit of authenticate", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it("is 30 s by default", async () => {
    vi.useFakeTimers();
    const waits = new Waits(undefined);
    let signal: AbortSignal | undefined;
    const work = (given: AbortSignal) => {
      signal = given;
      return new Promise<never>(() => {});
    };
    const wait = waits.until(work, new AbortController().signal).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(29_999);
    expect(signal?.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await wait).toMatchObject({ status: 503 });
  });

  it("is as long as a timer can be where it is longer", async () => {
    vi.useFakeTimers();
    const waits = new Waits(2 ** 40);
    const wait = waits.until(() => new Promise<never>(() => {}), new AbortController().signal);
    const isOver = vi.fn();
    wait.catch(isOver);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(isOver).not.toHaveBeenCalled();
    waits.end();
    await expect(wait).rejects.toMatchObject({ status: 503 });
  });

  it("is a positive number", () => {
    const options = { authenticate: () => ({}), routes: echoRoutes, authenticateTimeoutMs: 0 };
    expect(() => createAgentApi({ store: new MemoryStore(), authenticateTimeoutMs: Number.NaN })).toThrow(
      "authenticateTimeoutMs must be a positive number, not NaN.",
    );
    expect(() => new Waits(options.authenticateTimeoutMs)).toThrow(RangeError);
  });
});
