import { nilUuid, normalizeUuid } from "../../codec/index.js";

/** Why an agent is to begin anew. C1.63. */
export interface ReinitEvent {
  /** A UUID. */
  workspaceId: string;
  /** `prebuild_claimed` is the only one that is known. */
  reason: string;
  /** Whose the workspace is now, a UUID; undefined where the server does not say. */
  ownerId?: string | undefined;
}

/** Reads the data of an event. @throws Error when they are not as promised. */
export function parseReinitEvent(data: string): ReinitEvent {
  const fields = objectIn(data);
  const workspaceId = uuidIn(fields["workspace_id"]);
  const { reason, owner_id: owner } = fields;
  const ownerId = owner === undefined || owner === null ? nilUuid : uuidIn(owner);
  if (workspaceId === undefined || ownerId === undefined || typeof reason !== "string") {
    throw new Error("the event's workspace_id, reason or owner_id is not as it must be");
  }
  return { workspaceId, reason, ...(ownerId === nilUuid ? {} : { ownerId }) };
}

function objectIn(data: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch (error) {
    throw new Error("the event's data are not JSON", { cause: error });
  }
  if (typeof value !== "object" || value === null) throw new Error("the event's data are not a JSON object");
  return value as Readonly<Record<string, unknown>>;
}

function uuidIn(value: unknown): string | undefined {
  return typeof value === "string" ? normalizeUuid(value) : undefined;
}
