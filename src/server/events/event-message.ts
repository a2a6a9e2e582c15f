import { formatUuid, nilUuid } from "../../codec/index.js";
import { allWorkspacesChannel, channelOfEvent, topicOf } from "./channels.js";
import { isWorkspaceEventKind, whyInvalid } from "./check-event.js";
import type { ServerEvent } from "./events.js";

/** An event, or a part of one, as engines carry it. S6. */
export interface EventMessage {
  channel: string;
  payload: string;
}

/** So many agents fit in one message: 22 characters for each, 7,986 together. S3.64. */
export const maxMetadataIds = 363;

const idCharacters = 22;
const idsForm = /^(?:[A-Za-z0-9+/]{22})+$/;

/** The messages of an event: one, or several for the metadata of many agents. The event must be valid. S6. */
export function messagesOf(event: ServerEvent): EventMessage[] {
  const channel = channelOfEvent(event);
  switch (event.topic) {
    case "workspace":
      return [{ channel, payload: JSON.stringify(workspaceFields(event)) }];
    case "logs":
      return [{ channel, payload: JSON.stringify({ created_after: event.createdAfter }) }];
    case "metadata":
      return metadataPayloads(event.agentIds).map((payload) => ({ channel, payload }));
    case "claim": {
      const { workspaceId, ownerId, reason } = event;
      const owner = ownerId === undefined || ownerId === nilUuid ? {} : { owner_id: ownerId };
      return [{ channel, payload: JSON.stringify({ workspace_id: workspaceId, reason, ...owner }) }];
    }
  }
}

/** What tells subscribers of all workspaces, on an engine without wildcards; undefined for other events. */
export function allWorkspacesMessageOf(event: ServerEvent): EventMessage | undefined {
  if (event.topic !== "workspace") return undefined;
  const payload = JSON.stringify({ owner_id: event.ownerId, ...workspaceFields(event) });
  return { channel: allWorkspacesChannel, payload };
}

/**
 * The event that a message carries.
 * @throws TypeError when it cannot be read, is of a kind that is not known, or is invalid. S6.1.
 */
export function eventOf({ channel, payload }: EventMessage): ServerEvent {
  const event = readEvent(channel, payload);
  const why = whyInvalid(event);
  if (why !== undefined) throw new TypeError(`A message on ${channel} is not valid: ${why}.`);
  return event;
}

function readEvent(channel: string, payload: string): ServerEvent {
  const topic = topicOf(channel);
  switch (topic?.of) {
    case "workspaces": {
      const fields = objectOf(channel, payload);
      return workspaceEvent(channel, textOf(channel, fields, "owner_id"), fields);
    }
    case "owner":
      return workspaceEvent(channel, topic.ownerId, objectOf(channel, payload));
    case "logs": {
      const { created_after: createdAfter } = objectOf(channel, payload);
      if (typeof createdAfter !== "number") throw unreadable(channel, "created_after is not a number");
      return { topic: "logs", agentId: topic.agentId, createdAfter };
    }
    case "metadata":
      return { topic: "metadata", agentIds: agentIdsOf(payload) };
    case "claim":
      return claimEvent(channel, topic.workspaceId, payload);
    case undefined:
      throw unreadable(channel, "the channel is not one of events");
  }
}

type WorkspaceEvent = Extract<ServerEvent, { topic: "workspace" }>;

function workspaceFields({ kind, workspaceId, agentId }: WorkspaceEvent): Record<string, string> {
  return { kind, workspace_id: workspaceId, ...(agentId === undefined ? {} : { agent_id: agentId }) };
}

function workspaceEvent(channel: string, ownerId: string, fields: Record<string, unknown>): ServerEvent {
  const { kind } = fields;
  if (!isWorkspaceEventKind(kind)) throw unreadable(channel, "its kind is not known");
  const workspaceId = textOf(channel, fields, "workspace_id");
  const agentId = optionalTextOf(channel, fields, "agent_id");
  return { topic: "workspace", kind, ownerId, workspaceId, ...(agentId === undefined ? {} : { agentId }) };
}

/** What is not JSON is the reason itself. S5.33. */
function claimEvent(channel: string, workspaceId: string, payload: string): ServerEvent {
  let value: unknown;
  try {
    value = JSON.parse(payload);
  } catch {
    return { topic: "claim", workspaceId, ownerId: undefined, reason: payload };
  }
  const fields = asObject(channel, value);
  if (fields["workspace_id"] !== undefined && fields["workspace_id"] !== workspaceId) {
    throw unreadable(channel, "workspace_id is another workspace's");
  }
  const owner = optionalTextOf(channel, fields, "owner_id");
  const ownerId = owner === nilUuid ? undefined : owner;
  return { topic: "claim", workspaceId, ownerId, reason: textOf(channel, fields, "reason") };
}

function metadataPayloads(agentIds: readonly string[]): string[] {
  const ids = [...new Set(agentIds)].map(shortId);
  const payloads: string[] = [];
  for (let at = 0; at < ids.length; at += maxMetadataIds) {
    payloads.push(ids.slice(at, at + maxMetadataIds).join(""));
  }
  return payloads;
}

/** The 16 bytes of a UUID in base64 without padding. S3.64. */
function shortId(id: string): string {
  return Buffer.from(id.replaceAll("-", ""), "hex").toString("base64").slice(0, idCharacters);
}

function agentIdsOf(payload: string): string[] {
  if (!idsForm.test(payload)) throw new TypeError("A message of metadata is not ids of 22 characters.");
  const ids: string[] = [];
  for (let at = 0; at < payload.length; at += idCharacters) {
    ids.push(formatUuid(Buffer.from(payload.slice(at, at + idCharacters), "base64")) ?? "");
  }
  return ids;
}

function objectOf(channel: string, payload: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(payload);
  } catch {
    throw unreadable(channel, "it is not JSON");
  }
  return asObject(channel, value);
}

function asObject(channel: string, value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw unreadable(channel, "it is not a JSON object");
  }
  return value as Record<string, unknown>;
}

function textOf(channel: string, fields: Record<string, unknown>, name: string): string {
  const value = fields[name];
  if (typeof value !== "string") throw unreadable(channel, `${name} is not a text`);
  return value;
}

function optionalTextOf(channel: string, fields: Record<string, unknown>, name: string): string | undefined {
  return fields[name] === undefined || fields[name] === null ? undefined : textOf(channel, fields, name);
}

function unreadable(channel: string, why: string): TypeError {
  return new TypeError(`A message on ${channel} cannot be read: ${why}.`);
}
