import { randomUUID } from "node:crypto";
import { describe, expect, it, onTestFinished } from "vitest";
import type {
  EventSubscriber,
  Events,
  EventTopic,
  OnEventProblem,
  ServerEvent,
} from "../../../src/server/events/index.js";
import { eventually } from "../../support/control-plane.js";

/** Two that hear of each other: two processes, as far as they know. */
interface EventsPair {
  a: Events;
  b: Events;
  /** Cuts all connections of both once; missing where there are none. */
  cut?: () => Promise<void>;
}

/** Makes a pair that is not used yet; the suite closes it. Both tell their problems. */
export type MakePair = (onProblem: OnEventProblem) => Promise<EventsPair>;

/** A subscriber that remembers. */
export class Heard implements EventSubscriber {
  readonly events: ServerEvent[] = [];
  drops = 0;

  onEvent(event: ServerEvent): void {
    this.events.push(event);
  }

  onDropped(): void {
    this.drops++;
  }
}

/** Subscribes something that remembers, until the test ends. */
export async function hears(events: Events, topic: EventTopic): Promise<Heard & { end(): void }> {
  const heard = new Heard();
  const end = await events.subscribe(topic, heard);
  onTestFinished(end);
  return Object.assign(heard, { end });
}

/** An event of a workspace. */
export function stateChange(ownerId = randomUUID() as string): ServerEvent {
  return { topic: "workspace", kind: "state_change", ownerId, workspaceId: randomUUID() };
}

/**
 * What every implementation of `Events` does.
 * @param isConnected false for one that is in one process only: nothing connects its pair that could be lost.
 */
export function eventsCompliance(name: string, makePair: MakePair, isConnected = true): void {
  async function pair() {
    const problems: Error[] = [];
    const made = await makePair((error) => void problems.push(error));
    onTestFinished(() => Promise.all([made.a.close(), made.b.close()]).then(() => undefined));
    return { ...made, problems };
  }

  /** Everything that was published before has arrived when this resolves. */
  async function settled(from: Events, to: Events): Promise<void> {
    const ownerId = randomUUID();
    const last = await hears(to, { of: "owner", ownerId });
    from.publish(stateChange(ownerId));
    await eventually(() => last.events.length === 1, "the arrival of the last event");
    last.end();
  }

  describe(name, () => {
    it("S6 each topic arrives at its subscribers, here and there, and at no others", async () => {
      const { a, b } = await pair();
      const [ownerId, workspaceId, agentId] = [randomUUID(), randomUUID(), randomUUID()];
      const topics: EventTopic[] = [
        { of: "owner", ownerId },
        { of: "logs", agentId },
        { of: "metadata" },
        { of: "claim", workspaceId },
      ];
      const others: EventTopic[] = [
        { of: "owner", ownerId: randomUUID() },
        { of: "logs", agentId: randomUUID() },
        { of: "claim", workspaceId: randomUUID() },
      ];
      const events: ServerEvent[] = [
        { topic: "workspace", kind: "agt_lifecycle_update", ownerId, workspaceId, agentId },
        { topic: "logs", agentId, createdAfter: 41 },
        { topic: "metadata", agentIds: [agentId] },
        { topic: "claim", workspaceId, ownerId, reason: "prebuild_claimed" },
      ];
      const here = await Promise.all(topics.map((topic) => hears(a, topic)));
      const there = await Promise.all(topics.map((topic) => hears(b, topic)));
      const strangers = await Promise.all(others.map((topic) => hears(b, topic)));
      for (const event of events) a.publish(event);
      await settled(a, a);
      await settled(a, b);
      expect(here.map((heard) => heard.events)).toEqual(events.map((event) => [event]));
      expect(there.map((heard) => heard.events)).toEqual(events.map((event) => [event]));
      expect(strangers.flatMap((heard) => heard.events)).toEqual([]);
    });

    it("S6 workspaces of all owners arrive at those who want them, with their owners", async () => {
      const { a, b } = await pair();
      const all = await hears(b, { of: "workspaces" });
      const events = [stateChange(), stateChange(), stateChange()];
      for (const event of events) a.publish(event);
      a.publish({ topic: "logs", agentId: randomUUID(), createdAfter: 1 });
      await eventually(() => all.events.length === 3, "three events");
      await settled(a, b);
      expect(all.events.slice(0, 3)).toEqual(events);
      expect(all.events.filter((event) => event.topic !== "workspace")).toEqual([]);
    });

    it("S6.3 events of a channel arrive in the order of publication", async () => {
      const { a, b } = await pair();
      const agentId = randomUUID();
      const heard = await hears(b, { of: "logs", agentId });
      const numbers = Array.from({ length: 2000 }, (_, i) => i);
      for (const createdAfter of numbers) {
        a.publish({ topic: "logs", agentId, createdAfter });
        if (createdAfter % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await eventually(() => heard.events.length >= numbers.length, "all events", 10_000);
      expect(heard.events).toEqual(numbers.map((createdAfter) => ({ topic: "logs", agentId, createdAfter })));
    });

    it("hears of everything from when subscribe resolves", async () => {
      const { a, b } = await pair();
      for (let round = 0; round < 20; round++) {
        const ownerId = randomUUID();
        const heard = await hears(b, { of: "owner", ownerId });
        a.publish(stateChange(ownerId));
        await eventually(() => heard.events.length === 1, `the event of round ${round}`);
      }
    });

    it("many subscriptions at once all begin, and all end", async () => {
      const { a, b } = await pair();
      const owners = Array.from({ length: 1200 }, () => randomUUID());
      const heard = await Promise.all(owners.map((ownerId) => hears(b, { of: "owner", ownerId })));
      for (const ownerId of owners) a.publish(stateChange(ownerId));
      await eventually(() => heard.every(({ events }) => events.length === 1), "one event each", 10_000);
      for (const { end } of heard) end();
      for (const ownerId of owners) a.publish(stateChange(ownerId));
      await settled(a, b);
      expect(heard.every(({ events }) => events.length === 1)).toBe(true);
    });

    it("an ended subscription hears nothing more, and others of its channel go on", async () => {
      const { a, b } = await pair();
      const ownerId = randomUUID();
      const [ends, stays] = [
        await hears(b, { of: "owner", ownerId }),
        await hears(b, { of: "owner", ownerId }),
      ];
      a.publish(stateChange(ownerId));
      await eventually(() => ends.events.length + stays.events.length === 2, "the first event");
      ends.end();
      ends.end(); // twice is fine
      a.publish(stateChange(ownerId));
      await eventually(() => stays.events.length === 2, "the second event");
      expect(ends.events.length).toBe(1);
      stays.end();
      const again = await hears(b, { of: "owner", ownerId });
      a.publish(stateChange(ownerId));
      await eventually(() => again.events.length === 1, "the third event");
      expect([ends.events.length, stays.events.length]).toEqual([1, 2]);
    });

    it("a channel that is left and wanted again in one tick is heard", async () => {
      const { a, b } = await pair();
      const ownerId = randomUUID();
      const first = await hears(b, { of: "owner", ownerId });
      first.end();
      const second = await hears(b, { of: "owner", ownerId });
      a.publish(stateChange(ownerId));
      await eventually(() => second.events.length === 1, "the event");
    });

    it("a subscriber that throws takes nothing from others", async () => {
      const { a, b } = await pair();
      const ownerId = randomUUID();
      const thrower = () => {
        throw new Error("on purpose");
      };
      onTestFinished(await b.subscribe({ of: "owner", ownerId }, { onEvent: thrower, onDropped: thrower }));
      const heard = await hears(b, { of: "owner", ownerId });
      a.publish(stateChange(ownerId));
      a.publish(stateChange(ownerId));
      await eventually(() => heard.events.length === 2, "both events");
    });

    it("a subscriber may end and begin subscriptions while it is told", async () => {
      const { a, b } = await pair();
      const ownerId = randomUUID();
      let told = 0;
      let end: () => void = () => undefined;
      const onEvent = () => {
        told++;
        end();
        void b.subscribe({ of: "owner", ownerId }, { onEvent }).then((next) => {
          end = next;
        });
      };
      end = await b.subscribe({ of: "owner", ownerId }, { onEvent });
      onTestFinished(() => end());
      a.publish(stateChange(ownerId));
      await eventually(() => told === 1, "the event");
      await settled(a, b);
      expect(told).toBe(1);
    });

    it("S6.1 invalid events are told to the hook and not published", async () => {
      const { a, b, problems } = await pair();
      const [ownerId, workspaceId, agentId] = [randomUUID(), randomUUID(), randomUUID()];
      const all = await Promise.all(
        [{ of: "workspaces" }, { of: "metadata" }, { of: "claim", workspaceId }, { of: "logs", agentId }].map(
          (topic) => hears(b, topic as EventTopic),
        ),
      );
      const nil = "00000000-0000-0000-0000-000000000000";
      const invalid: ServerEvent[] = [
        { topic: "workspace", kind: "state_change", ownerId, workspaceId: nil },
        { topic: "workspace", kind: "state_change", ownerId, workspaceId: "dev" },
        { topic: "workspace", kind: "state_change", ownerId: "ada", workspaceId },
        { topic: "workspace", kind: "" as "state_change", ownerId, workspaceId },
        { topic: "workspace", kind: "agt_lifecycle_update", ownerId, workspaceId },
        { topic: "logs", agentId, createdAfter: Number.NaN },
        { topic: "metadata", agentIds: [] },
        { topic: "metadata", agentIds: [agentId, "main"] },
        { topic: "claim", workspaceId, ownerId, reason: "" },
        { topic: "claim", workspaceId, ownerId, reason: "x".repeat(8000) },
      ];
      for (const event of invalid) a.publish(event);
      a.publish(stateChange(ownerId));
      await eventually(() => (all[0]?.events.length ?? 0) > 0, "the valid event");
      expect(all.map(({ events }) => events.length)).toEqual([1, 0, 0, 0]);
      expect(problems.length).toBe(invalid.length);
      for (const { message } of problems) expect(message).toMatch(/^An event was not published: .+\.$/);
    });

    it("a topic whose id is no UUID cannot be subscribed to", async () => {
      const { a } = await pair();
      const heard = new Heard();
      await expect(a.subscribe({ of: "owner", ownerId: "x; drop" }, heard)).rejects.toThrow(TypeError);
      await expect(a.subscribe({ of: "logs", agentId: "*" }, heard)).rejects.toThrow(/agent is not a UUID/);
      await expect(a.subscribe({ of: "claim", workspaceId: "" }, heard)).rejects.toThrow(TypeError);
    });

    it("S3.64 metadata of 1,000 agents arrive, each once", async () => {
      const { a, b } = await pair();
      const heard = await hears(b, { of: "metadata" });
      const agentIds = Array.from({ length: 1000 }, () => randomUUID());
      a.publish({ topic: "metadata", agentIds });
      const arrived = () =>
        heard.events.flatMap((event) => (event.topic === "metadata" ? event.agentIds : []));
      await eventually(() => arrived().length >= 1000, "all agents");
      expect(arrived()).toEqual(agentIds);
    });

    it("S5.32 claims keep their reason, whatever is in it, and may have no owner", async () => {
      const { a, b } = await pair();
      const workspaceId = randomUUID();
      const heard = await hears(b, { of: "claim", workspaceId });
      const reasons = ["prebuild_claimed", `a "quoted" \\ {b,c} é 🎉 \u0000 '; --`, "x".repeat(7000)];
      for (const reason of reasons) a.publish({ topic: "claim", workspaceId, ownerId: undefined, reason });
      await eventually(() => heard.events.length === 3, "three claims");
      expect(heard.events).toEqual(
        reasons.map((reason) => ({ topic: "claim", workspaceId, ownerId: undefined, reason })),
      );
    });

    it("close ends subscriptions, takes nothing more, and leaves others alone", async () => {
      const { a, b } = await pair();
      const ownerId = randomUUID();
      const closed = await hears(a, { of: "owner", ownerId });
      const last = stateChange(ownerId);
      const stays = a === b ? undefined : await hears(b, { of: "owner", ownerId });
      if (stays !== undefined) a.publish(last);
      await a.close();
      await a.close(); // twice is fine
      a.publish(stateChange(ownerId));
      await expect(a.subscribe({ of: "owner", ownerId }, new Heard())).rejects.toThrow(/closed/);
      closed.end();
      if (stays === undefined) return;
      // what was published before went out
      await eventually(() => stays.events.length === 1, "the last event of the closed one");
      expect(stays.events).toEqual([last]);
      b.publish(stateChange(ownerId));
      await eventually(() => stays.events.length === 2, "an event of the other");
      expect(closed.events.length).toBe(0);
    });

    if (!isConnected) return;

    it("S6.4 a lost connection is told as lost events, and then events arrive again", async () => {
      const { a, b, cut, problems } = await pair();
      if (cut === undefined) throw new Error("the pair cannot be cut");
      const ownerId = randomUUID();
      const [mine, other] = [await hears(b, { of: "owner", ownerId }), await hears(b, { of: "workspaces" })];
      a.publish(stateChange(ownerId));
      await eventually(() => mine.events.length === 1, "an event before");
      expect(mine.drops + other.drops).toBe(0);
      await cut();
      await eventually(() => mine.drops > 0 && other.drops > 0, "onDropped", 10_000);
      const before = mine.events.length;
      a.publish(stateChange(ownerId));
      await eventually(() => mine.events.length > before, "an event after", 10_000);
      expect(problems.some(({ message }) => /connection to .* lost/.test(message))).toBe(true);
      await settled(b, a);
    });

    it("S6.2 what is published while the connection is lost arrives after it", async () => {
      const { a, b, cut } = await pair();
      if (cut === undefined) throw new Error("the pair cannot be cut");
      const heard = await hears(b, { of: "metadata" });
      const agentId = randomUUID();
      await cut();
      a.publish({ topic: "metadata", agentIds: [agentId] });
      // the subscriber's own connection may be back later than the publisher's: then it is told of a loss
      await eventually(() => heard.events.length > 0 || heard.drops > 0, "the event, or its loss", 10_000);
    });
  });
}
