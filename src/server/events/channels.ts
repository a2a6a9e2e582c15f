import type { EventTopic, ServerEvent } from "./events.js";

/** The channel of agents' metadata. S3.64. */
const metadataChannel = "workspace_agent_metadata_batch";

/** A channel of our own, beside those of S6: the events of all owners' workspaces, for engines without wildcards. */
export const allWorkspacesChannel = "agentwire_workspaces";

/** A channel of our own: whoever could not publish some events says so, and all subscribers read again. S6.4. */
export const droppedChannel = "agentwire_dropped";

/** What stands before the id in the channels that have one. */
const ownerPrefix = "workspace_owner:";
const logsPrefix = "agent-logs:";
const claimPrefix = "prebuild_claimed_";

/** The channel on which what concerns a topic is heard. S6. */
export function channelOf(topic: EventTopic): string {
  switch (topic.of) {
    case "workspaces":
      return allWorkspacesChannel;
    case "owner":
      return ownerPrefix + topic.ownerId;
    case "logs":
      return logsPrefix + topic.agentId;
    case "metadata":
      return metadataChannel;
    case "claim":
      return claimPrefix + topic.workspaceId;
  }
}

/** The channel that an event is published on; {@link allWorkspacesChannel} is not this one. S6. */
export function channelOfEvent(event: ServerEvent): string {
  switch (event.topic) {
    case "workspace":
      return ownerPrefix + event.ownerId;
    case "logs":
      return logsPrefix + event.agentId;
    case "metadata":
      return metadataChannel;
    case "claim":
      return claimPrefix + event.workspaceId;
  }
}

/** The topic that a channel is of; undefined for channels of others. */
export function topicOf(channel: string): EventTopic | undefined {
  if (channel === allWorkspacesChannel) return { of: "workspaces" };
  if (channel === metadataChannel) return { of: "metadata" };
  const idAfter = (prefix: string) => (channel.startsWith(prefix) ? channel.slice(prefix.length) : undefined);
  const ownerId = idAfter(ownerPrefix);
  if (ownerId !== undefined) return { of: "owner", ownerId };
  const agentId = idAfter(logsPrefix);
  if (agentId !== undefined) return { of: "logs", agentId };
  const workspaceId = idAfter(claimPrefix);
  return workspaceId === undefined ? undefined : { of: "claim", workspaceId };
}

/**
 * A channel as a subject of NATS: what stands before an id becomes a token of its own, so that `workspace_owner.*` is
 * all owners. Ids are UUIDs, and so have none of the characters that subjects give a meaning.
 */
export function subjectOf(channel: string): string {
  const prefix = [ownerPrefix, logsPrefix, claimPrefix].find((each) => channel.startsWith(each));
  return prefix === undefined ? channel : `${prefix.slice(0, -1)}.${channel.slice(prefix.length)}`;
}

/** The channel that {@link subjectOf} made a subject of. */
export function channelOfSubject(subject: string): string {
  const prefix = [ownerPrefix, logsPrefix, claimPrefix].find((each) =>
    subject.startsWith(`${each.slice(0, -1)}.`),
  );
  return prefix === undefined ? subject : prefix + subject.slice(prefix.length);
}
