import { connect, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import type { EventSubscriber, EventTopic } from "../../../src/server/index.js";
import type { LogRecord } from "../../../src/store/index.js";
import { watchTimers } from "../../leaks/live-things.js";
import { eventually, token } from "../../support/control-plane.js";
import { adminToken, follow, type HttpApi, httpApi, readEvents } from "../../support/http-api.js";
import { upgradeLines } from "../../support/raw-http.js";

const metadata = [{ key: "a", displayName: "A", script: "a.sh", intervalSeconds: 5 }];

/** Counts who listens to the events of a control plane. */
function countSubscriptions({ plane }: HttpApi): () => number {
  const { events } = plane;
  const subscribe = events.subscribe.bind(events);
  const open = new Set<object>();
  events.subscribe = async (topic: EventTopic, subscriber: EventSubscriber) => {
    const end = await subscribe(topic, subscriber);
    open.add(end);
    return () => {
      open.delete(end);
      end();
    };
  };
  return () => open.size;
}

function sockets(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === "TCPSocketWrap").length;
}

/** A connection that sends a request and then reads nothing at all. */
function deafClient({ plane }: HttpApi, lines: readonly string[]): Socket {
  const socket = connect(Number(new URL(plane.url).port), "127.0.0.1");
  socket.pause();
  socket.on("error", () => {});
  onTestFinished(() => void socket.destroy());
  socket.write([lines[0], "Host: x", ...lines.slice(1), "", ""].join("\r\n"));
  return socket;
}

/** The agent has lines without end, 256 KB on each page. @returns how many pages have been read. */
function endlessLogs({ plane, agentId }: HttpApi): () => number {
  let pages = 0;
  const output = "x".repeat(1024);
  plane.store.logs = async (_id, after, limit) => {
    pages++;
    return Array.from(
      { length: limit },
      (_, i): LogRecord => ({
        ...{ id: after + i + 1, agentId, createdAtUs: 0, level: "info", output, logSourceId: agentId },
      }),
    );
  };
  return () => pages;
}

const admin = `Coder-Session-Token: ${adminToken}`;

/** Waits until a count stays as it is. */
async function settled(count: () => number, quietMs = 300): Promise<number> {
  let last = -1;
  while (count() !== last) {
    last = count();
    await new Promise((resolve) => setTimeout(resolve, quietMs));
  }
  return last;
}

describe("200 followers that come and go", () => {
  it("leave no subscription, timer or socket, whichever way they go", async () => {
    const timers = watchTimers();
    const api = await httpApi({ metadata }, { streamPingIntervalMs: 400 });
    const subscriptions = countSubscriptions(api);
    const { plane, agentId } = api;
    const about = `${plane.url}/api/v2/workspaceagents`;
    const come = [
      async (round: number) => {
        const { socket } = await follow(plane, `workspaceagents/${agentId}/logs?follow`);
        return () => (round % 2 === 0 ? socket.close() : socket.terminate());
      },
      async (round: number) => {
        const { socket } = await follow(plane, `workspaceagents/${agentId}/watch-metadata-ws`);
        return () => (round % 2 === 0 ? socket.send("bye") : socket.terminate());
      },
      async () => (await readEvents(`${about}/${agentId}/watch-metadata`, adminToken)).leave,
      async () => (await readEvents(`${about}/me/reinit`, token)).leave,
    ];
    const before = await settled(sockets, 50);
    for (let round = 0; round < 5; round++) {
      const leave = await Promise.all(Array.from({ length: 40 }, (_, i) => come[i % come.length]?.(round)));
      expect(plane.api.streamCount).toBe(40);
      // of ten of each kind: logs and builds, metadata twice, claims
      await eventually(() => subscriptions() === 50, "all subscriptions");
      for (const go of leave) go?.();
      await eventually(() => plane.api.streamCount === 0, "the end of all");
      expect(subscriptions()).toBe(0);
    }
    await eventually(() => sockets() <= before, "the end of all sockets");
    // a timer that is cleared is told a little later
    await eventually(() => timers().length === 0, "no timer is left").catch(() => {});
    expect(timers()).toEqual([]);
  });

  it("that leave before they are let in leave nothing either", async () => {
    let letIn = () => {};
    const gate = new Promise<void>((resolve) => {
      letIn = resolve;
    });
    const authenticateUser = async () => {
      await gate;
      return { id: "slow", mayRead: "everything" as const };
    };
    const api = await httpApi({ metadata }, { authenticateUser });
    const subscriptions = countSubscriptions(api);
    const path = `/api/v2/workspaceagents/${api.agentId}`;
    const clients = [
      deafClient(api, [`GET ${path}/watch-metadata HTTP/1.1`, admin]),
      deafClient(api, [`GET ${path} HTTP/1.1`, admin]),
      deafClient(api, upgradeLines(`${path}/logs?follow`, admin)),
      deafClient(api, upgradeLines(`${path}/watch-metadata-ws`, admin)),
    ];
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (const client of clients) client.resetAndDestroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    letIn();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await eventually(() => api.plane.api.streamCount === 0 && subscriptions() === 0, "the end");
  });
});

describe("closing the server", () => {
  it("ends all followers in order, and takes no more", async () => {
    const api = await httpApi({ metadata }, { streamPingIntervalMs: 200 });
    const subscriptions = countSubscriptions(api);
    const { plane, agentId } = api;
    const about = `${plane.url}/api/v2/workspaceagents`;
    const logs = await follow(plane, `workspaceagents/${agentId}/logs?follow`);
    const values = await follow(plane, `workspaceagents/${agentId}/watch-metadata-ws`);
    const events = await readEvents(`${about}/${agentId}/watch-metadata`, adminToken);
    const claims = await readEvents(`${about}/me/reinit`, token);
    await plane.api.close();
    expect(await logs.closed).toBe("1001 The server is closing.");
    expect(await values.closed).toBe("1000 Connection closed");
    await Promise.all([events.ended, claims.ended]);
    expect([plane.api.streamCount, subscriptions()]).toEqual([0, 0]);
    // what is no stream is still answered
    expect((await api.get(`workspaceagents/${agentId}`)).status).toBe(200);
    expect((await api.get(`workspaceagents/${agentId}/watch-metadata`)).status).toBe(503);
    await expect(follow(plane, `workspaceagents/${agentId}/logs?follow`)).rejects.toThrow("503");
  });

  it("does not wait for those who do not answer", async () => {
    const api = await httpApi({ metadata });
    const path = `/api/v2/workspaceagents/${api.agentId}`;
    deafClient(api, upgradeLines(`${path}/logs?follow`, admin));
    deafClient(api, [`GET ${path}/watch-metadata HTTP/1.1`, admin]);
    await eventually(() => api.plane.api.streamCount === 2, "both streams");
    const begin = Date.now();
    await api.plane.api.close();
    expect(Date.now() - begin).toBeLessThan(4000);
    expect(api.plane.api.streamCount).toBe(0);
  });
});

describe("a reader that does not read", () => {
  it("of followed logs stops what is read for it, and is cut off when it answers no ping", async () => {
    const api = await httpApi({}, { streamPingIntervalMs: 1000 });
    const pages = endlessLogs(api);
    deafClient(api, upgradeLines(`/api/v2/workspaceagents/${api.agentId}/logs?follow`, admin));
    await eventually(() => pages() > 0, "the first page");
    // what the system takes for both sides, and no more
    expect(await settled(pages)).toBeLessThan(100);
    await eventually(() => api.plane.api.streamCount === 0, "its end");
  });

  it("of logs at once stops what is read for it, until it leaves", async () => {
    const api = await httpApi();
    const pages = endlessLogs(api);
    const client = deafClient(api, [`GET /api/v2/workspaceagents/${api.agentId}/logs HTTP/1.1`, admin]);
    await eventually(() => pages() > 0, "the first page");
    const read = await settled(pages);
    expect(read).toBeLessThan(100);
    client.destroy();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(pages() - read).toBeLessThanOrEqual(1);
  });

  it("of events is cut off by the next, or after some pings", async () => {
    const api = await httpApi({}, { streamPingIntervalMs: 50 });
    const { plane, workspaceId } = api;
    deafClient(api, ["GET /api/v2/workspaceagents/me/reinit HTTP/1.1", `Coder-Session-Token: ${token}`]);
    await eventually(() => plane.api.streamCount === 1, "the stream");
    // as large as an event may be; what the sockets hold for the client is some megabytes
    const reason = "x".repeat(7_000);
    let sent = 0;
    while (plane.api.streamCount === 1 && sent < 10_000) {
      for (let i = 0; i < 100; i++) {
        plane.events.publish({ topic: "claim", workspaceId, ownerId: undefined, reason });
        sent++;
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(plane.api.streamCount).toBe(0);
    expect(sent).toBeLessThan(10_000);
  });

  it("of metadata gets no more until it has read, and is cut off after some pings", async () => {
    const api = await httpApi({ metadata }, { streamPingIntervalMs: 400 });
    const { plane, agentId } = api;
    const value = "x".repeat(20_000_000);
    await plane.store.updateMetadata([{ agentId, key: "a", value, error: "", collectedAtUs: 1 }]);
    let reads = 0;
    const records = plane.store.manifestRecords.bind(plane.store);
    plane.store.manifestRecords = (id) => {
      reads++;
      return records(id);
    };
    deafClient(api, [`GET /api/v2/workspaceagents/${agentId}/watch-metadata HTTP/1.1`, admin]);
    await eventually(() => plane.api.streamCount === 1, "the stream");
    for (let i = 0; i < 12 && plane.api.streamCount === 1; i++) {
      plane.events.publish({ topic: "metadata", agentIds: [agentId] });
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    await eventually(() => plane.api.streamCount === 0, "its end");
    expect(reads).toBe(1);
  });
});
