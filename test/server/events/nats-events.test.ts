import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "@nats-io/transport-node";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { type NatsEventsOptions, openNatsEvents } from "../../../src/server/events/index.js";
import { eventually } from "../../support/control-plane.js";
import { startNats, type TestNats } from "../../support/nats.js";
import { eventsCompliance, hears, stateChange } from "./compliance.js";
import { startTcpProxy } from "./tcp-proxy.js";

// the first time it may have to be built
const startTimeoutMs = 600_000;

describe("with NATS", () => {
  let server: TestNats | undefined;
  let url = "";
  beforeAll(async () => {
    server = await startNats();
    url = server?.url ?? "";
  }, startTimeoutMs);
  beforeEach(({ skip }) => skip(server === undefined, "nats-server is not installed"));
  afterAll(() => server?.stop());

  eventsCompliance("events over NATS", async (onProblem) => {
    const options = { onProblem, maxBackoffMs: 50 };
    const [a, b] = [await openNatsEvents(url, options), await openNatsEvents(url, options)];
    return { a, b, cut: async () => server?.restart() };
  });

  async function opened(to: string, options: NatsEventsOptions = {}) {
    const problems: string[] = [];
    const onProblem = ({ message }: Error) => void problems.push(message);
    const events = await openNatsEvents(to, { onProblem, maxBackoffMs: 50, ...options });
    onTestFinished(() => events.close());
    return { events, problems };
  }

  /** By way of a proxy, which belongs to the test. */
  async function proxied(to: string, options: NatsEventsOptions = {}) {
    const proxy = await startTcpProxy(to);
    onTestFinished(() => proxy.stop());
    return { proxy, ...(await opened(proxy.url, options)) };
  }

  /** A server of its own with a configuration. */
  async function configured(configuration: string) {
    const folder = mkdtempSync(join(tmpdir(), "agentwire-nats-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, "nats.conf");
    writeFileSync(file, configuration);
    const own = await startNats(["-c", file]);
    onTestFinished(() => own?.stop());
    return own?.url ?? "";
  }

  it("S6 subjects are the channels, and payloads those of S6", async () => {
    const { events } = await opened(url, { subjectPrefix: "plane.one" });
    const raw = await connect({ servers: url.replace("nats://", "") });
    onTestFinished(() => raw.close());
    const messages: [string, string][] = [];
    raw.subscribe("plane.one.>", {
      callback: (_error, message) => void messages.push([message.subject, message.string()]),
    });
    await raw.flush();
    const [ownerId, workspaceId, agentId] = [randomUUID(), randomUUID(), randomUUID()];
    events.publish({ topic: "workspace", kind: "state_change", ownerId, workspaceId });
    events.publish({ topic: "logs", agentId, createdAfter: 7 });
    await eventually(() => messages.length === 2, "both messages");
    expect(messages).toEqual([
      [
        `plane.one.workspace_owner.${ownerId}`,
        JSON.stringify({ kind: "state_change", workspace_id: workspaceId }),
      ],
      [`plane.one.agent-logs.${agentId}`, `{"created_after":7}`],
    ]);
  });

  it("control planes with prefixes of their own do not hear of each other", async () => {
    const { events: one } = await opened(url, { subjectPrefix: "one" });
    const { events: two } = await opened(url, { subjectPrefix: "two" });
    const [ofOne, ofTwo] = [await hears(one, { of: "workspaces" }), await hears(two, { of: "workspaces" })];
    one.publish(stateChange());
    await eventually(() => ofOne.events.length === 1, "the event");
    const last = stateChange();
    two.publish(last);
    await eventually(() => ofTwo.events.length === 1, "the other event");
    expect(ofTwo.events).toEqual([last]);
  });

  it("a subject is subscribed to with its first subscriber and left with its last", async () => {
    const { proxy, events } = await proxied(url);
    const ownerId = randomUUID();
    const count = (text: string) => proxy.said().split(text).length - 1;
    const first = await hears(events, { of: "owner", ownerId });
    const second = await hears(events, { of: "owner", ownerId });
    expect(count(`SUB agentwire.workspace_owner.${ownerId} `)).toBe(1);
    first.end();
    await hears(events, { of: "metadata" });
    expect(count("UNSUB")).toBe(0);
    second.end();
    await eventually(() => count("UNSUB") === 1, "UNSUB");
  });

  it("S6.1 a payload that cannot be read is told as lost, and what follows arrives", async () => {
    const { events, problems } = await opened(url);
    const ownerId = randomUUID();
    const heard = await hears(events, { of: "owner", ownerId });
    const raw = await connect({ servers: url.replace("nats://", "") });
    onTestFinished(() => raw.close());
    raw.publish(`agentwire.workspace_owner.${ownerId}`, "not JSON");
    await raw.flush();
    await eventually(() => heard.drops === 1, "onDropped");
    events.publish(stateChange(ownerId));
    await eventually(() => heard.events.length === 1, "an event after it");
    expect(problems).toEqual([`A message on workspace_owner:${ownerId} cannot be read: it is not JSON.`]);
  });

  it("S6.4 a connection that says nothing any more is noticed, and made again", async () => {
    const { proxy, events } = await proxied(url, { heartbeatMs: 50 });
    const ownerId = randomUUID();
    const heard = await hears(events, { of: "owner", ownerId });
    proxy.stall();
    await eventually(() => heard.drops === 1, "onDropped");
    events.publish(stateChange(ownerId));
    await eventually(() => heard.events.length === 1, "an event over the new connection");
  });

  it("S6.4 a subscriber that is too slow for the server is told of a loss", { timeout: 30_000 }, async () => {
    const own = await configured("max_payload: 32KB\nmax_pending: 64KB\nwrite_deadline: 1s\n");
    const { proxy, events } = await proxied(own);
    const { events: other } = await opened(own);
    const heard = await hears(events, { of: "workspaces" });
    const passed = await hears(other, { of: "workspaces" });
    proxy.stall();
    // more than the sockets on the way hold
    const flood = setInterval(() => {
      for (let i = 0; i < 3000; i++) other.publish(stateChange());
    }, 10);
    onTestFinished(() => clearInterval(flood));
    await eventually(() => passed.events.length > 80_000, "the flood", 15_000);
    proxy.resume();
    await eventually(() => heard.drops > 0, "onDropped", 5000);
    clearInterval(flood);
  });

  it("S6.4 events that find no room are counted, and all subscribers everywhere are told", async () => {
    const { proxy, events, problems } = await proxied(url, { maxQueuedMessages: 100 });
    const { events: elsewhere } = await opened(url);
    const heard = await hears(elsewhere, { of: "metadata" });
    proxy.refuse(true);
    await eventually(() => problems.some((text) => text.includes("was lost")), "the loss");
    const agents = Array.from({ length: 130 }, () => randomUUID());
    for (const agentId of agents) events.publish({ topic: "metadata", agentIds: [agentId] });
    expect(heard.drops).toBe(0);
    proxy.refuse(false);
    await eventually(() => heard.drops > 0, "onDropped");
    expect(heard.events).toEqual(
      agents.slice(0, 100).map((agentId) => ({ topic: "metadata", agentIds: [agentId] })),
    );
    await eventually(() => problems.includes("30 events were dropped and not published."), "the count");
  });

  it("a subject that the server does not allow is said, and others go on", async () => {
    const own = await configured(`
      authorization { users = [ { user: ada, password: "secret-word", permissions: {
        publish: "agentwire.>", subscribe: { allow: "agentwire.>", deny: "agentwire.agent-logs.*" } } } ] }
    `);
    const { events, problems } = await opened(own.replace("nats://", "nats://ada:secret-word@"));
    const agentId = randomUUID();
    const subscribing = events.subscribe({ of: "logs", agentId }, { onEvent: () => undefined });
    await expect(subscribing).rejects.toThrow(
      `NATS refuses the subscription to agentwire.agent-logs.${agentId}`,
    );
    const heard = await hears(events, { of: "metadata" });
    events.publish({ topic: "metadata", agentIds: [agentId] });
    await eventually(() => heard.events.length === 1, "an event that is allowed");
    expect(problems.join()).not.toContain("secret-word");
    const wrong = openNatsEvents(own.replace("nats://", "nats://ada:other-word@"));
    await expect(wrong).rejects.toThrow(/^NATS cannot be used for events: .*Authorization/i);
    await expect(wrong).rejects.not.toThrow(/other-word/);
  });

  it("a subscription that gets no answer fails in time", async () => {
    const { proxy, events, problems } = await proxied(url, { timeoutMs: 200 });
    proxy.refuse(true);
    await eventually(() => problems.some((text) => text.includes("was lost")), "the loss");
    const subscribing = events.subscribe({ of: "metadata" }, { onEvent: () => undefined });
    await expect(subscribing).rejects.toThrow(/took longer than 200 ms/);
  });

  it("a subscription that is made while the connection is lost begins with the next", async () => {
    const { proxy, events, problems } = await proxied(url);
    proxy.refuse(true);
    await eventually(() => problems.some((text) => text.includes("was lost")), "the loss");
    const subscribing = hears(events, { of: "metadata" });
    proxy.refuse(false);
    const heard = await subscribing;
    const { events: elsewhere } = await opened(url);
    elsewhere.publish({ topic: "metadata", agentIds: [randomUUID()] });
    await eventually(() => heard.events.length === 1, "the event");
  });

  it("close ends in time, whatever the connection does", async () => {
    const { proxy, events } = await proxied(url, { timeoutMs: 200 });
    proxy.stall();
    events.publish(stateChange());
    const start = Date.now();
    await events.close();
    expect(Date.now() - start).toBeLessThan(4000);
  });
});

describe("without a server", () => {
  it("opening fails with one sentence", async () => {
    const opening = openNatsEvents("nats://127.0.0.1:1");
    await expect(opening).rejects.toThrow(/^NATS cannot be used for events: /);
  });

  it("a prefix that would not make subjects is refused", async () => {
    await expect(openNatsEvents("nats://127.0.0.1:1", { subjectPrefix: "a b.>" })).rejects.toThrow(
      RangeError,
    );
  });
});
