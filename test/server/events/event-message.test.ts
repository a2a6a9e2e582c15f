import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { channelOfSubject, subjectOf, topicOf } from "../../../src/server/events/channels.js";
import { allWorkspacesMessageOf, maxMetadataIds } from "../../../src/server/events/event-message.js";
import {
  channelOf,
  type EventTopic,
  eventOf,
  isOfTopic,
  messagesOf,
  type ServerEvent,
  workspaceEventKinds,
} from "../../../src/server/events/index.js";

const ownerId = "11111111-2222-4333-8444-555555555555";
const workspaceId = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
const agentId = "00112233-4455-4677-8899-aabbccddeeff";

describe("S6 channels and payloads", () => {
  const rows: [string, ServerEvent, string, string][] = [
    [
      "of a workspace",
      { topic: "workspace", kind: "state_change", ownerId, workspaceId },
      `workspace_owner:${ownerId}`,
      `{"kind":"state_change","workspace_id":"${workspaceId}"}`,
    ],
    [
      "of an agent of it",
      { topic: "workspace", kind: "app_health", ownerId, workspaceId, agentId },
      `workspace_owner:${ownerId}`,
      `{"kind":"app_health","workspace_id":"${workspaceId}","agent_id":"${agentId}"}`,
    ],
    [
      "of logs",
      { topic: "logs", agentId, createdAfter: 41 },
      `agent-logs:${agentId}`,
      `{"created_after":41}`,
    ],
    [
      "of metadata",
      { topic: "metadata", agentIds: [agentId, ownerId] },
      "workspace_agent_metadata_batch",
      "ABEiM0RVRneImaq7zN3u/w" + "ERERESIiQzOERFVVVVVVVQ",
    ],
    [
      "of a claim",
      { topic: "claim", workspaceId, ownerId, reason: "prebuild_claimed" },
      `prebuild_claimed_${workspaceId}`,
      `{"workspace_id":"${workspaceId}","reason":"prebuild_claimed","owner_id":"${ownerId}"}`,
    ],
    [
      "of a claim without owner",
      { topic: "claim", workspaceId, ownerId: undefined, reason: "prebuild_claimed" },
      `prebuild_claimed_${workspaceId}`,
      `{"workspace_id":"${workspaceId}","reason":"prebuild_claimed"}`,
    ],
  ];
  it.each(rows)("%s", (_name, event, channel, payload) => {
    expect(messagesOf(event)).toEqual([{ channel, payload }]);
    expect(eventOf({ channel, payload })).toEqual(event);
  });

  it("of all owners' workspaces, for engines without wildcards, names the owner too", () => {
    const event: ServerEvent = { topic: "workspace", kind: "stats_update", ownerId, workspaceId };
    const message = allWorkspacesMessageOf(event);
    expect(message?.channel).toBe(channelOf({ of: "workspaces" }));
    expect(message && eventOf(message)).toEqual(event);
    expect(allWorkspacesMessageOf({ topic: "logs", agentId, createdAfter: 1 })).toBeUndefined();
  });

  it("S3.64 metadata take 363 agents a message at most, each agent once", () => {
    const ids = Array.from(
      { length: 1000 },
      (_, i) => `00000000-0000-4000-8000-${String(i).padStart(12, "0")}`,
    );
    const messages = messagesOf({ topic: "metadata", agentIds: [...ids, ...ids] });
    expect(messages.map(({ payload }) => payload.length)).toEqual([7986, 7986, 274 * 22]);
    expect(maxMetadataIds * 22).toBe(7986);
    const back = messages.map(eventOf).flatMap((event) => (event.topic === "metadata" ? event.agentIds : []));
    expect(back).toEqual(ids);
  });

  it("S6.5 there is no kind for progress of logs", () => {
    expect(workspaceEventKinds).not.toContain("agt_logs_update");
  });
});

describe("payloads of others", () => {
  it("S5.33 a claim that is not JSON is the reason itself", () => {
    const channel = channelOf({ of: "claim", workspaceId });
    expect(eventOf({ channel, payload: "prebuild_claimed" })).toEqual({
      topic: "claim",
      workspaceId,
      ownerId: undefined,
      reason: "prebuild_claimed",
    });
  });

  it("nil and null ids that need not be there count as missing", () => {
    const nil = "00000000-0000-0000-0000-000000000000";
    const claim = JSON.stringify({ workspace_id: workspaceId, reason: "x", owner_id: nil });
    expect(eventOf({ channel: channelOf({ of: "claim", workspaceId }), payload: claim })).toMatchObject({
      ownerId: undefined,
    });
    const change = JSON.stringify({ kind: "state_change", workspace_id: workspaceId, agent_id: null });
    const read = eventOf({ channel: channelOf({ of: "owner", ownerId }), payload: change });
    expect(read).not.toHaveProperty("agentId");
  });

  const owner = channelOf({ of: "owner", ownerId });
  const bad: [string, string, string][] = [
    ["no JSON", owner, "hello"],
    ["no object", owner, "[]"],
    ["S6.1 no kind", owner, JSON.stringify({ kind: "", workspace_id: workspaceId })],
    ["a kind that is not known", owner, JSON.stringify({ kind: "new_kind", workspace_id: workspaceId })],
    ["S6.1 no workspace", owner, JSON.stringify({ kind: "state_change" })],
    [
      "S6.1 a nil workspace",
      owner,
      JSON.stringify({ kind: "state_change", workspace_id: "00000000-0000-0000-0000-000000000000" }),
    ],
    [
      "S6.1 a lifecycle without agent",
      owner,
      JSON.stringify({ kind: "agt_lifecycle_update", workspace_id: workspaceId }),
    ],
    ["no line of a log", channelOf({ of: "logs", agentId }), "{}"],
    ["half a line of a log", channelOf({ of: "logs", agentId }), `{"created_after":1.5}`],
    ["half an agent", channelOf({ of: "metadata" }), "ABEiM0RVRneImaq7zN3u"],
    ["no agent", channelOf({ of: "metadata" }), ""],
    ["an agent in other letters", channelOf({ of: "metadata" }), "ABEiM0RVRneImaq7zN3u_w"],
    ["no reason", channelOf({ of: "claim", workspaceId }), "{}"],
    ["an empty reason", channelOf({ of: "claim", workspaceId }), ""],
    [
      "another workspace's claim",
      channelOf({ of: "claim", workspaceId }),
      JSON.stringify({ workspace_id: ownerId, reason: "prebuild_claimed" }),
    ],
    ["another channel", "workspace_updates:all", "{}"],
  ];
  it.each(bad)("%s cannot be read", (_name, channel, payload) => {
    expect(() => eventOf({ channel, payload })).toThrow(TypeError);
  });

  it("anything else is an event or a TypeError", () => {
    const channels = [owner, channelOf({ of: "metadata" }), channelOf({ of: "claim", workspaceId })];
    const payloads = fc.oneof(fc.string(), fc.json());
    fc.assert(
      fc.property(fc.constantFrom(...channels), payloads, (channel, payload) => {
        try {
          expect(eventOf({ channel, payload })).toHaveProperty("topic");
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
        }
      }),
    );
  });
});

describe("topics", () => {
  const topics: EventTopic[] = [
    { of: "workspaces" },
    { of: "owner", ownerId },
    { of: "logs", agentId },
    { of: "metadata" },
    { of: "claim", workspaceId },
  ];

  it("have channels and subjects of their own, that lead back to them", () => {
    const channels = topics.map(channelOf);
    expect(channels.map(topicOf)).toEqual(topics);
    const subjects = channels.map(subjectOf);
    expect(subjects.map(channelOfSubject)).toEqual(channels);
    expect(new Set(subjects).size).toBe(topics.length);
    for (const subject of subjects) expect(subject).toMatch(/^[\w.-]+$/);
    // names in PostgreSQL end after 63 bytes
    for (const channel of channels) expect(channel.length).toBeLessThan(64);
  });

  it("events come back from their messages, for their topics", () => {
    const uuid = fc.uuid().filter((id) => !id.startsWith("00000000-0000-0000"));
    const events: fc.Arbitrary<ServerEvent> = fc.oneof(
      fc.record({
        topic: fc.constant("workspace" as const),
        kind: fc.constantFrom(...workspaceEventKinds),
        ownerId: uuid,
        workspaceId: uuid,
        agentId: uuid,
      }),
      fc.record({ topic: fc.constant("logs" as const), agentId: uuid, createdAfter: fc.maxSafeInteger() }),
      fc.record({
        topic: fc.constant("claim" as const),
        workspaceId: uuid,
        ownerId: fc.option(uuid, { nil: undefined }),
        reason: fc.string({ minLength: 1, unit: "binary" }),
      }),
    );
    fc.assert(
      fc.property(events, (event) => {
        const [message] = messagesOf(event);
        expect(message && eventOf(message)).toEqual(event);
        const topic = message && topicOf(message.channel);
        expect(topic && isOfTopic(event, topic)).toBe(true);
      }),
    );
  });
});
