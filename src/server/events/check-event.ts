import { nilUuid } from "../../codec/index.js";
import { type EventTopic, type ServerEvent, type WorkspaceEventKind, workspaceEventKinds } from "./events.js";

/** Engines carry less than this in one message. S6.4. */
const maxPayloadBytes = 8000;

const uuidForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const kinds: ReadonlySet<string> = new Set(workspaceEventKinds);

/** True for one of {@link workspaceEventKinds}. */
export function isWorkspaceEventKind(text: unknown): text is WorkspaceEventKind {
  return typeof text === "string" && kinds.has(text);
}

/** Why an event must be neither published nor heard; undefined when it is as it should be. S6.1. */
export function whyInvalid(event: ServerEvent): string | undefined {
  switch (event.topic) {
    case "workspace": {
      const { kind, ownerId, workspaceId, agentId } = event;
      if (!isWorkspaceEventKind(kind)) return "it has no kind that is known";
      if (kind === "agt_lifecycle_update" && agentId === undefined) return "it names no agent";
      return (
        whyNoWorkspace(workspaceId) ??
        whyNoUuid("owner", ownerId) ??
        (agentId === undefined ? undefined : whyNoUuid("agent", agentId))
      );
    }
    case "logs":
      if (!Number.isSafeInteger(event.createdAfter)) return "the id of its log line is not an integer";
      return whyNoUuid("agent", event.agentId);
    case "metadata": {
      if (event.agentIds.length === 0) return "it names no agent";
      const bad = event.agentIds.find((id) => !isUuid(id));
      return bad === undefined ? undefined : whyNoUuid("agent", bad);
    }
    case "claim": {
      const { workspaceId, ownerId, reason } = event;
      if (reason === "") return "it has no reason";
      // quotes, escapes and the other members of the payload take part of the room
      if (Buffer.byteLength(JSON.stringify(reason)) > maxPayloadBytes - 200) return "its reason is too long";
      return whyNoWorkspace(workspaceId) ?? (ownerId === undefined ? undefined : whyNoUuid("owner", ownerId));
    }
  }
}

/** @throws TypeError when an id of the topic is not a UUID in lower case. */
export function checkTopic(topic: EventTopic): void {
  const why = whyBadTopic(topic);
  if (why !== undefined) throw new TypeError(`The topic "${topic.of}" cannot be subscribed to: ${why}.`);
}

function whyBadTopic(topic: EventTopic): string | undefined {
  switch (topic.of) {
    case "workspaces":
    case "metadata":
      return undefined;
    case "owner":
      return whyNoUuid("owner", topic.ownerId);
    case "logs":
      return whyNoUuid("agent", topic.agentId);
    case "claim":
      return whyNoUuid("workspace", topic.workspaceId);
  }
}

function whyNoWorkspace(id: string): string | undefined {
  return id === nilUuid ? "its workspace is nil" : whyNoUuid("workspace", id);
}

function whyNoUuid(what: string, id: unknown): string | undefined {
  return isUuid(id) ? undefined : `the id of its ${what} is not a UUID in lower case`;
}

function isUuid(id: unknown): id is string {
  return typeof id === "string" && uuidForm.test(id);
}
