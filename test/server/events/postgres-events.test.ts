import { randomUUID } from "node:crypto";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  channelOf,
  openPostgresEvents,
  type PostgresEventsOptions,
} from "../../../src/server/events/index.js";
import { eventually } from "../../support/control-plane.js";
import { postgresOfTests } from "../../support/postgres-of-tests.js";
import { eventsCompliance, hears, stateChange } from "./compliance.js";
import { startTcpProxy } from "./tcp-proxy.js";

describe("with PostgreSQL", () => {
  const postgres = postgresOfTests();

  eventsCompliance("events over PostgreSQL", async (onProblem) => {
    const options = { onProblem, maxBackoffMs: 50 };
    const [a, b] = [
      await openPostgresEvents(postgres.url, options),
      await openPostgresEvents(postgres.url, options),
    ];
    const cut = async () => {
      await postgres.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'agentwire events'",
      );
    };
    return { a, b, cut };
  });

  /** One that reaches the server by way of a proxy. */
  async function proxied(options: PostgresEventsOptions = {}) {
    const proxy = await startTcpProxy(postgres.url);
    onTestFinished(() => proxy.stop());
    const problems: string[] = [];
    const events = await openPostgresEvents(proxy.url, {
      onProblem: ({ message }) => void problems.push(message),
      maxBackoffMs: 50,
      ...options,
    });
    onTestFinished(() => events.close());
    const count = (text: string) => proxy.said().split(text).length - 1;
    return { proxy, events, problems, count };
  }

  async function opened(options: PostgresEventsOptions = {}) {
    const events = await openPostgresEvents(postgres.url, options);
    onTestFinished(() => events.close());
    return events;
  }

  it("a channel is begun with its first subscriber and ended with its last", async () => {
    const { events, count } = await proxied();
    const ownerId = randomUUID();
    const channel = channelOf({ of: "owner", ownerId });
    const first = await hears(events, { of: "owner", ownerId });
    const second = await hears(events, { of: "owner", ownerId });
    expect(count(`LISTEN "${channel}"`)).toBe(1);
    first.end();
    await hears(events, { of: "metadata" }); // a statement later
    expect(count(`UNLISTEN "${channel}"`)).toBe(0);
    second.end();
    await eventually(() => count(`UNLISTEN "${channel}"`) === 1, "UNLISTEN");
  });

  it("takes two connections, however many subscribe and publish, and gives them back", async () => {
    const { events, proxy } = await proxied();
    await Promise.all(
      Array.from({ length: 50 }, () => hears(events, { of: "owner", ownerId: randomUUID() })),
    );
    for (let i = 0; i < 50; i++) events.publish(stateChange());
    expect(proxy.connectionCount).toBe(2);
    await events.close();
    await eventually(() => proxy.connectionCount === 0, "the end of both connections");
  });

  it("events of one tick leave in one statement", async () => {
    const { events, count } = await proxied();
    const heard = await hears(events, { of: "workspaces" });
    events.publish(stateChange());
    await eventually(() => heard.events.length === 1, "the first event");
    const statements = count("agentwire_notify");
    for (let i = 0; i < 200; i++) events.publish(stateChange());
    await eventually(() => heard.events.length === 201, "all events");
    expect(count("agentwire_notify")).toBe(statements + 1);
  });

  it("S6.1 a payload that cannot be read is told as lost, and what follows arrives", async () => {
    const { events, problems } = await proxied();
    const ownerId = randomUUID();
    const channel = channelOf({ of: "owner", ownerId });
    const heard = await hears(events, { of: "owner", ownerId });
    const other = await hears(events, { of: "metadata" });
    await postgres.query("select pg_notify($1, $2)", [channel, "not JSON"]);
    const good = stateChange(ownerId);
    const payload = { kind: "state_change", workspace_id: (good as { workspaceId: string }).workspaceId };
    await postgres.query("select pg_notify($1, $2)", [channel, JSON.stringify(payload)]);
    await eventually(() => heard.events.length === 1, "the good one");
    expect(heard.events).toEqual([good]);
    expect([heard.drops, other.drops]).toEqual([1, 0]);
    expect(problems).toEqual([`A message on ${channel} cannot be read: it is not JSON.`]);
  });

  it("S6.4 a connection that says nothing any more is noticed, and made again", async () => {
    const { proxy, events, problems } = await proxied({ heartbeatMs: 50, timeoutMs: 200 });
    const ownerId = randomUUID();
    const heard = await hears(events, { of: "owner", ownerId });
    proxy.stall();
    await eventually(() => heard.drops === 1, "onDropped");
    expect(problems[0]).toMatch(/for subscriptions was lost: an answer took longer than 200 ms/);
    events.publish(stateChange(ownerId));
    await eventually(() => heard.events.length === 1, "an event over the new connection");
  });

  it("S6.4 events that find no room are counted, and all subscribers everywhere are told", async () => {
    const { proxy, events, problems } = await proxied({ maxQueuedMessages: 100 });
    const elsewhere = await opened();
    const heard = await hears(elsewhere, { of: "metadata" });
    proxy.refuse(true);
    await eventually(() => problems.some((text) => text.includes("publishing was lost")), "the loss");
    const agents = Array.from({ length: 130 }, () => randomUUID());
    for (const agentId of agents) events.publish({ topic: "metadata", agentIds: [agentId] });
    expect(heard.drops).toBe(0);
    proxy.refuse(false);
    await eventually(() => heard.drops > 0, "onDropped");
    // those that had room came before, in their order
    expect(heard.events).toEqual(
      agents.slice(0, 100).map((agentId) => ({ topic: "metadata", agentIds: [agentId] })),
    );
    await eventually(() => problems.includes("30 events were dropped and not published."), "the count");
    expect(problems).toContainEqual(expect.stringMatching(/^Events are dropped: 100 messages wait/));
  });

  it("a subscription that gets no answer fails in time", async () => {
    const { proxy, events, problems } = await proxied({ timeoutMs: 200 });
    proxy.refuse(true);
    await eventually(() => problems.some((text) => text.includes("subscriptions was lost")), "the loss");
    const subscribing = events.subscribe({ of: "metadata" }, { onEvent: () => undefined });
    await expect(subscribing).rejects.toThrow(/took longer than 200 ms/);
  });

  it("a subscription that is made while the connection is lost begins with the next", async () => {
    const { proxy, events, problems } = await proxied();
    proxy.refuse(true);
    await eventually(() => problems.some((text) => text.includes("subscriptions was lost")), "the loss");
    const subscribing = hears(events, { of: "metadata" });
    proxy.refuse(false);
    const heard = await subscribing;
    const elsewhere = await opened();
    elsewhere.publish({ topic: "metadata", agentIds: [randomUUID()] });
    await eventually(() => heard.events.length === 1, "the event");
  });

  it("close ends in time, whatever the connection does", async () => {
    const { proxy, events } = await proxied({ timeoutMs: 200 });
    proxy.stall();
    events.publish(stateChange());
    const start = Date.now();
    await events.close();
    expect(Date.now() - start).toBeLessThan(4000);
  });

  it("a password that is refused says so, and is not said", async () => {
    const wrong = postgres.url.replace("postgres://postgres@", "postgres://nobody_here:secret-word@");
    const opening = openPostgresEvents(wrong).catch((error: unknown) => error);
    expect(String(await opening)).toMatch(/PostgreSQL cannot be used for events: role "nobody_here"/);
    expect(JSON.stringify(await opening) + String(await opening)).not.toContain("secret-word");
  });
});

describe("without a server", () => {
  it("opening fails with one sentence", async () => {
    const opening = openPostgresEvents("postgres://ada:secret-word@127.0.0.1:1/db");
    await expect(opening).rejects.toThrow(/^PostgreSQL cannot be used for events: .*ECONNREFUSED/);
  });

  it("a URL that is none is said without what is in it", async () => {
    const opening = openPostgresEvents("postgres://ada:secret-word@host:port/db").catch(
      (error: unknown) => error,
    );
    const error = await opening;
    expect(String(error)).toMatch(/The URL of PostgreSQL cannot be read/);
    expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain("secret-word");
  });

  it("options that make no sense are refused", async () => {
    await expect(openPostgresEvents("", { maxQueuedMessages: 0 })).rejects.toThrow(RangeError);
  });
});
