import { Code } from "@connectrpc/connect";
import { goQuote } from "../../rpc/index.js";
import {
  type AppRecord,
  type AppState,
  type AppStatusRecord,
  prebuildsOwnerId,
  type WorkspaceRecord,
} from "../../store/index.js";
import { type Notification, runHook } from "../hooks.js";
import type { HandlerDeps } from "./deps.js";
import { HandlerFailure, textOf } from "./failure.js";
import { cleanStatusMessage } from "./status-message.js";

/** The reference server calls them characters and counts bytes. S3.48. */
const maxMessageBytes = 160;

/** A status as an app reports it. */
export interface ReportedStatus {
  slug: string;
  /** Undefined for one that is not known; `stateText` then says what came. */
  state: AppState | undefined;
  stateText: string;
  message: string;
  uri: string;
}

/** Whose app it is. */
export interface StatusReporter {
  agentId: string;
  workspaceId: string;
  /** Whose channel hears of it. */
  ownerId: string;
}

const notificationKinds: Readonly<Record<AppState, Notification["kind"]>> = {
  working: "task_working",
  idle: "task_idle",
  complete: "task_completed",
  failure: "task_failed",
};

/** A refusal in the words that the endpoints over HTTP have as JSON. S3.51. */
export class StatusRefusal extends HandlerFailure {
  readonly status: 400 | 500;
  readonly reason: string;
  readonly detail: string | undefined;
  readonly validation: { field: string; detail: string } | undefined;

  constructor(
    status: 400 | 500,
    reason: string,
    detail?: string,
    validation?: { field: string; detail: string },
  ) {
    const lines = [`unexpected status code ${status}: ${reason}`];
    if (detail !== undefined) lines.push(`\tError: ${detail}`);
    if (validation !== undefined) lines.push(`\t${validation.field}: ${validation.detail}`);
    super(lines.join("\n"), status === 500 ? Code.Internal : Code.InvalidArgument);
    this.status = status;
    this.reason = reason;
    this.detail = detail;
    this.validation = validation;
  }
}

/**
 * Stores a status, tells of it, and tells people where the workspace is there for a task. S3.47–S3.58.
 * @param workspace where it has been read already.
 * @throws StatusRefusal; nothing is stored then.
 */
export async function reportAppStatus(
  deps: HandlerDeps,
  who: StatusReporter,
  reported: ReportedStatus,
  workspace?: WorkspaceRecord,
): Promise<void> {
  const { store, events } = deps;
  const { agentId, workspaceId, ownerId } = who;
  const state = checkedState(reported);
  const app = await appWithSlug(deps, agentId, reported.slug);
  const owned = workspace ?? (await ownedWorkspace(deps, workspaceId));
  const before = await attempt("Failed to get latest workspace app status.", async () => {
    const [latest] = await store.appStatuses({ appId: app.id }, 1);
    return latest;
  });
  await attempt("Failed to insert workspace app status.", () =>
    store.insertAppStatus({
      id: crypto.randomUUID(),
      workspaceId,
      agentId,
      appId: app.id,
      state,
      message: cleanStatusMessage(reported.message),
      uri: reported.uri === "" ? undefined : reported.uri,
      createdAtUs: deps.nowUs(),
    }),
  );
  events.publish({ topic: "workspace", kind: "agt_app_status_update", ownerId, workspaceId, agentId });
  await notify(deps, owned, agentId, app, state, before);
  if (state === "working" || before?.state === "working") {
    const change = { workspaceId, agentId, appId: app.id, state };
    await runHook(deps.log, "the activity hook", () => deps.activity.onAppStatus?.(change));
  }
}

function checkedState({ state, stateText, message }: ReportedStatus): AppState {
  if (Buffer.byteLength(message) > maxMessageBytes) {
    const detail = `Message must be less than ${maxMessageBytes} characters.`;
    throw new StatusRefusal(400, "Message is too long.", detail, { field: "message", detail });
  }
  if (state !== undefined) return state;
  throw new StatusRefusal(400, "Invalid state provided.", `invalid state: "${stateText}"`, {
    field: "state",
    detail: "State must be one of: complete, failure, working, idle.",
  });
}

/** Whatever goes wrong in looking for it: it is not found. S3.50. */
async function appWithSlug({ store }: HandlerDeps, agentId: string, slug: string): Promise<AppRecord> {
  const apps = await store.apps(agentId).catch(() => []);
  const app = apps.find((candidate) => candidate.slug === slug);
  if (app !== undefined) return app;
  throw new StatusRefusal(400, "Failed to get workspace app.", `No app found with slug ${goQuote(slug)}`);
}

/** A workspace that nobody has claimed has no identity yet. S3.56. */
async function ownedWorkspace({ store }: HandlerDeps, workspaceId: string): Promise<WorkspaceRecord> {
  const workspace = await store.workspace(workspaceId).catch(() => undefined);
  if (workspace !== undefined && workspace.ownerId !== prebuildsOwnerId) return workspace;
  throw new StatusRefusal(500, "Workspace identity not cached.");
}

async function attempt<T>(what: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw new StatusRefusal(500, what, textOf(error));
  }
}

/** Tells the owner when the task's app has changed its state, once the agent is ready. S3.57. */
async function notify(
  deps: HandlerDeps,
  workspace: WorkspaceRecord,
  agentId: string,
  app: AppRecord,
  state: AppState,
  before: AppStatusRecord | undefined,
): Promise<void> {
  const { task } = workspace;
  if (task === undefined || task.appId !== app.id || before?.state === state) return;
  // that it has begun to work is no news
  if (before === undefined && state === "working") return;
  await runHook(deps.log, "the notification of an app's status", async () => {
    const agent = await deps.store.agent(agentId);
    if (agent?.lifecycleState !== "ready") return;
    const minute = new Date(Math.floor(deps.nowUs() / 60_000_000) * 60_000);
    await deps.notifications.send({
      kind: notificationKinds[state],
      receiverId: workspace.ownerId,
      labels: { task: task.name, workspace: workspace.name },
      data: { dedupe_bypass_ts: minute.toISOString() },
      createdBy: "api-workspace-agent-app-status",
      targets: [workspace.id, workspace.ownerId, workspace.organizationId, app.id],
    });
  });
}
