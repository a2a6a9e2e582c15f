import { type Client, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import {
  AppStatusState,
  dialAgent,
  externalLogSourceId,
  LifecycleState,
  LogLevel,
  LogSender,
} from "../../src/client/index-node.js";
import { AdminService } from "../../src/gen/agentwire/admin/v1/admin_pb.js";
import { eventually } from "../support/control-plane.js";
import { startNats } from "../support/nats.js";
import { startPostgres } from "../support/postgres.js";
import { adminToken, type Replica, startReplica } from "./replica.js";

const postgres = await startPostgres();
const nats = await startNats();
afterAll(async () => {
  await postgres?.stop();
  await nats?.stop();
});

const engines: [name: string, events: string | undefined][] = [["its own notifications", undefined]];
if (nats !== undefined) engines.push(["NATS", nats.url]);

function adminOf({ url }: Replica): Client<typeof AdminService> {
  const transport = createConnectTransport({
    baseUrl: url,
    httpVersion: "1.1",
    interceptors: [
      (next) => (request) => {
        request.header.set("Authorization", `Bearer ${adminToken}`);
        return next(request);
      },
    ],
  });
  return createClient(AdminService, transport);
}

/** What somebody reads of an agent at a replica. */
async function agentAt<T>(replica: Replica, path: string): Promise<T> {
  const headers = { Authorization: `Bearer ${adminToken}` };
  const response = await fetch(`${replica.url}/api/v2/workspaceagents/${path}`, { headers });
  if (response.status !== 200) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

interface AgentJson {
  status: string;
  lifecycle_state: string;
  apps: { statuses: { message: string }[] }[];
}

/** Two control planes on one database, and an agent that may connect to either. */
async function pair(events: string | undefined) {
  if (postgres === undefined) throw new Error("there is no PostgreSQL");
  const on = { postgres: postgres.url, nats: events };
  const a = await startReplica(on);
  const b = await startReplica(on);
  const owner = `user-${crypto.randomUUID().slice(0, 8)}`;
  const workspace = {
    owner,
    name: "dev",
    agents: [{ name: "main", apps: [{ slug: "ai" }], metadata: [{ key: "load", intervalSeconds: 1 }] }],
  };
  const { agents } = await adminOf(a).defineWorkspaces({ workspaces: [workspace] });
  const dial = async (replica: Replica, role = "agent") => {
    const connection = await dialAgent({
      url: replica.url,
      token: agents[0]?.token ?? "",
      role,
      proxy: false,
    });
    onTestFinished(() => connection.close());
    return connection;
  };
  return { a, b, workspace, id: agents[0]?.id ?? "", dial };
}

describe.skipIf(postgres === undefined).each(engines)(
  "two control planes on one PostgreSQL, with %s",
  (_name, events) => {
    it("an agent on one is seen on the other: status, lifecycle, app status, metadata, logs as they come", async () => {
      const { a, b, id, dial, workspace } = await pair(events);
      const kinds: string[] = [];
      const abort = new AbortController();
      const watching = (async () => {
        for await (const { kind } of adminOf(b).watchEvents({}, { signal: abort.signal })) kinds.push(kind);
      })().catch(() => {});
      const lines: string[] = [];
      const follow = new WebSocket(
        `${b.url.replace("http", "ws")}/api/v2/workspaceagents/${id}/logs?follow`,
        {
          headers: { Authorization: `Bearer ${adminToken}` },
        },
      );
      onTestFinished(() => follow.terminate());
      follow.on("message", (data) => {
        for (const { output } of JSON.parse(String(data)) as { output: string }[]) lines.push(output);
      });
      await new Promise((resolve) => follow.once("open", resolve));
      await eventually(async () => {
        await adminOf(a).defineWorkspaces({ workspaces: [workspace] });
        return kinds.includes("state_change");
      }, "the watch has begun");

      const { agent } = await dial(a);
      await agent.updateLifecycle({ lifecycle: { state: LifecycleState.READY } });
      await agent.updateAppStatus({ slug: "ai", state: AppStatusState.IDLE, message: "over there" });
      await agent.batchUpdateMetadata({ metadata: [{ key: "load", result: { value: "0.7" } }] });
      const logs = new LogSender();
      const sending = logs.run(agent, abort.signal).catch(() => {});
      await logs.send(externalLogSourceId, [{ output: "first", level: LogLevel.INFO }]);
      await logs.whenEmpty();
      await eventually(() => lines.includes("first"), "the line on the other", 10_000);
      await logs.send(externalLogSourceId, [{ output: "second" }, { output: "third" }]);
      await eventually(() => lines.length === 3, "the next lines", 10_000);
      expect(lines).toEqual(["first", "second", "third"]);

      await eventually(
        async () => {
          const seen = await agentAt<AgentJson>(b, id);
          return seen.status === "connected" && seen.lifecycle_state === "ready";
        },
        "the state on the other",
        10_000,
      );
      const statuses = await agentAt<{ message: string }[]>(b, `${id}/app-statuses`);
      expect(statuses).toMatchObject([{ message: "over there" }]);
      await eventually(
        () =>
          ["agt_connection_update", "agt_lifecycle_update", "agt_app_status_update", "agt_first_logs"].every(
            (kind) => kinds.includes(kind),
          ),
        "events on the other",
        10_000,
      );
      abort.abort();
      await Promise.all([watching, sending]);
    }, 60_000);

    it("a claim at one reaches an agent that waits for it at the other", async () => {
      const { a, b } = await pair(events);
      const name = `pool-${crypto.randomUUID().slice(0, 8)}`;
      const { agents } = await adminOf(a).defineWorkspaces({
        workspaces: [{ isPrebuilt: true, name, agents: [{ name: "main" }] }],
      });
      const workspace = (await adminOf(b).listWorkspaces({})).workspaces.find((one) => one.name === name);
      const abort = new AbortController();
      const waiting = fetch(`${a.url}/api/v2/workspaceagents/me/reinit?wait=true`, {
        headers: { "Coder-Session-Token": agents[0]?.token ?? "" },
        signal: abort.signal,
      });
      // headers come with the first event
      await new Promise((resolve) => setTimeout(resolve, 500));
      await adminOf(b).claimWorkspace({ workspaceId: workspace?.id ?? "", owner: "carol", name });
      const response = await waiting;
      const reader = response.body?.getReader();
      const { value } = (await reader?.read()) ?? {};
      expect(new TextDecoder().decode(value)).toContain(`"reason":"prebuild_claimed"`);
      abort.abort();
    }, 60_000);

    it("one that dies leaves its agents disconnected after a while, and they connect to the other", async () => {
      const { a, b, id, dial } = await pair(events);
      const connection = await dial(a);
      await connection.agent.updateLifecycle({ lifecycle: { state: LifecycleState.READY } });
      const status = async () => (await agentAt<AgentJson>(b, id)).status;
      await eventually(async () => (await status()) === "connected", "connected", 10_000);
      await a.kill();
      expect((await connection.closed).code).toBe("connection-lost");
      await eventually(async () => (await status()) === "disconnected", "disconnected", 10_000);
      const again = await dial(b);
      await eventually(async () => (await status()) === "connected", "connected again", 10_000);
      // what had been answered is still so
      expect((await agentAt<AgentJson>(b, id)).lifecycle_state).toBe("ready");
      await again.close();
    }, 60_000);

    it("one that is ended in order tells its agents, and stores what waits", async () => {
      const { a, b, id, dial } = await pair(events);
      const connection = await dial(a);
      await connection.agent.updateStats({ stats: { connectionCount: 1n } });
      expect(await a.end()).toBe(0);
      expect(["closed-by-peer", "not-accepting"]).toContain((await connection.closed).code);
      expect((await agentAt<AgentJson>(b, id)).status).toBe("disconnected");
      const [workspace] = (await adminOf(b).listWorkspaces({})).workspaces.filter(({ agents }) =>
        agents.some((agent) => agent.id === id),
      );
      expect(workspace?.lastUsedAt).toBeDefined();
    }, 60_000);
  },
);
