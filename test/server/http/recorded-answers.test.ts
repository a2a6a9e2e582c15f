import { describe, expect, it } from "vitest";
import type { ControlPlaneOptions } from "../../../src/server/index.js";
import { eventually, token } from "../../support/control-plane.js";
import { type HttpApi, httpApi, readEvents } from "../../support/http-api.js";
import { rawRequest } from "../../support/raw-http.js";
import { vectors } from "../../support/vectors.js";

interface Recorded {
  name: string;
  status: number;
  headers: Record<string, string>;
  json?: unknown;
  text?: string;
}

const recorded = new Map(vectors<Recorded[]>("http").map((entry) => [entry.name, entry]));

const options: ControlPlaneOptions = {
  externalAuth: {
    providers: [{ id: "github", type: "github", urlPattern: "github\\.com", validate: async () => true }],
    link: async () => undefined,
    saveLink: async () => {},
  },
  gitSshKeys: { keyOf: async () => ({ publicKey: "…", privateKey: "…" }) },
  accessUrl: "http://127.0.0.1:3900",
};

const source = { id: "11111111-2222-4333-8444-555555555555", display_name: "My source", icon: "/icon/x.svg" };
const lines = [{ created_at: "2026-01-01T00:00:00Z", level: "info", output: "hello" }];
const status = { app_slug: "ai", state: "working", message: "on it", uri: "https://example.com" };

type Ask = (api: HttpApi) => ReturnType<HttpApi["me"]>;

/** The requests behind the recorded answers. */
const requests: Record<string, Ask> = {
  "POST log-source": ({ me }) => me("POST", "log-source", source),
  "POST log-source again (same id)": async ({ me }) => {
    await me("POST", "log-source", source);
    return me("POST", "log-source", source);
  },
  "POST log-source bad json": ({ me }) => me("POST", "log-source", '{"id"'),
  "PATCH logs": ({ me }) => me("PATCH", "logs", { log_source_id: source.id, logs: lines }),
  "PATCH logs, no source id (External)": ({ me }) => me("PATCH", "logs", { logs: lines }),
  "PATCH logs, empty": ({ me }) => me("PATCH", "logs", { log_source_id: source.id, logs: [] }),
  "PATCH logs, bad level": ({ me }) =>
    me("PATCH", "logs", { log_source_id: source.id, logs: [{ output: "x", level: "loud" }] }),
  "PATCH app-status": ({ me }) => me("PATCH", "app-status", status),
  "PATCH app-status idle": ({ me }) => me("PATCH", "app-status", { ...status, state: "idle" }),
  "PATCH app-status unknown slug": ({ me }) => me("PATCH", "app-status", { ...status, app_slug: "nope" }),
  "PATCH app-status bad state": ({ me }) => me("PATCH", "app-status", { ...status, state: "sleeping" }),
  "PATCH app-status message of 161": ({ me }) =>
    me("PATCH", "app-status", { ...status, message: "x".repeat(161) }),
  "PATCH app-status no state": ({ me }) => me("PATCH", "app-status", { app_slug: "ai", message: "x" }),
  "PATCH app-status bad json": ({ me }) => me("PATCH", "app-status", "{"),
  "GET gitsshkey": ({ me }) => me("GET", "gitsshkey"),
  "GET external-auth?match=": ({ me }) =>
    me("GET", `external-auth?match=${encodeURIComponent("https://github.com/a/b")}`),
  "GET external-auth unknown": ({ me }) => me("GET", "external-auth?id=nope"),
  "GET external-auth no params": ({ me }) => me("GET", "external-auth"),
  "GET reinit?wait=true (ordinary workspace)": ({ me }) => me("GET", "reinit?wait=true"),
  "POST experimental/chat-context/refresh": ({ me }) => me("POST", "experimental/chat-context/refresh"),
  "GET unknown endpoint": ({ me }) => me("GET", "nope"),
};

/** Without a token. */
const unauthenticated: Record<string, string> = {
  "PATCH logs, no token": "PATCH /api/v2/workspaceagents/me/logs HTTP/1.1",
  "GET reinit no token": "GET /api/v2/workspaceagents/me/reinit HTTP/1.1",
};

const streams = [
  "GET reinit (ordinary workspace, no wait: SSE, cut after 3 s: not even headers are flushed)",
  "GET reinit (ordinary workspace, no wait: SSE, cut after 17 s: the first 15 s ping flushes the headers)",
  "prebuild: GET reinit?wait=true, claimed after 2 s",
  "the same agent reconnects after the claim (durable: seeded event)",
] as const;

function entryOf(name: string): Recorded {
  const entry = recorded.get(name);
  if (entry === undefined) throw new Error(`no recording of ${name}`);
  return entry;
}

/** What differs from run to run. */
function withoutChance(json: unknown): unknown {
  if (typeof json !== "object" || json === null || !("created_at" in json)) return json;
  return { ...json, created_at: "", workspace_agent_id: "" };
}

describe("S5 beside the RPC it is answered as the recorded control plane does", () => {
  it.each(Object.keys(requests))("%s", async (name) => {
    const api = await httpApi({ apps: [{ slug: "ai" }] }, options);
    const entry = entryOf(name);
    const answer = await requests[name]?.(api);
    expect(answer?.status).toBe(entry.status);
    expect(answer?.headers.get("content-type")).toBe(entry.headers["Content-Type"]);
    expect(withoutChance(answer?.json)).toEqual(withoutChance(entry.json));
  });

  it.each(Object.keys(unauthenticated))("%s", async (name) => {
    const { plane } = await httpApi();
    const entry = entryOf(name);
    const answer = await rawRequest(plane.url, [unauthenticated[name] ?? ""]);
    expect(answer.status).toBe(entry.status);
    expect(answer.headers["content-type"]).toBe(entry.headers["Content-Type"]);
    expect(JSON.parse(answer.body)).toEqual(entry.json);
  });

  it("covers every recording that is not about the RPC", () => {
    const covered = new Set<string>([...Object.keys(requests), ...Object.keys(unauthenticated), ...streams]);
    expect([...recorded.keys()].filter((name) => !name.startsWith("rpc:") && !covered.has(name))).toEqual([]);
  });
});

describe("S5.31 streams are as the recorded control plane's", () => {
  const path = "/api/v2/workspaceagents/me/reinit";

  function headersOf(response: Response, { headers }: Recorded) {
    // the client does not show how the body was cut
    const names = Object.keys(headers).filter((name) => name !== "Transfer-Encoding");
    return Object.fromEntries(names.map((name) => [name, response.headers.get(name)]));
  }

  function expectedHeaders({ headers }: Recorded) {
    const { "Transfer-Encoding": _, ...others } = headers;
    return others;
  }

  it("an ordinary workspace gets nothing, not even a head, before the first ping", async () => {
    const { plane } = await httpApi({}, { streamPingIntervalMs: 300 });
    const entry = entryOf(streams[1]);
    const begin = Date.now();
    const { response, blocks } = await readEvents(plane.url + path, token);
    expect(Date.now() - begin).toBeGreaterThan(250);
    expect(response.status).toBe(entry.status);
    expect(headersOf(response, entry)).toEqual(expectedHeaders(entry));
    await eventually(() => blocks.length === 2, "two pings");
    expect(blocks).toEqual([entry.text, entry.text]);
  });

  it.each([streams[2], streams[3]])("%s", async (name) => {
    const workspaces = [{ owner: "", name: "pool", isPrebuilt: true, agents: [{ name: "main", token }] }];
    const { plane, workspaceId } = await httpApi({}, { workspaces });
    const entry = entryOf(name);
    const claim = async () => {
      await plane.store.claim(workspaceId, "ada", "mine");
      const ownerId = (await plane.store.workspace(workspaceId))?.ownerId;
      plane.events.publish({ topic: "claim", workspaceId, ownerId, reason: "prebuild_claimed" });
      return ownerId ?? "";
    };
    const isBefore = name === streams[3];
    const early = isBefore ? await claim() : undefined;
    const reading = readEvents(`${plane.url}${path}?wait=true`, token);
    if (!isBefore) await eventually(() => plane.api.streamCount === 1, "the stream");
    const ownerId = early ?? (await claim());
    const { response, blocks } = await reading;
    expect(headersOf(response, entry)).toEqual(expectedHeaders(entry));
    await eventually(() => blocks.length === 1, "the event");
    const withIds = entry.text
      ?.replace(/"workspace_id":"[^"]*"/, `"workspace_id":"${workspaceId}"`)
      .replace(/"owner_id":"[^"]*"/, `"owner_id":"${ownerId}"`);
    expect(blocks).toEqual([withIds]);
  });
});
