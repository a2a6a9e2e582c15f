import { Code } from "@connectrpc/connect";
import { UpdateAppStatusRequest_AppStatusState as WireState } from "../../gen/coder/agent/v2/agent_pb.js";
import { errorText } from "../../rpc/error-text.js";
import { goQuote } from "../../rpc/index.js";
import {
  type AppRecord,
  type AppState,
  type AppStatusRecord,
  prebuildsOwnerId,
  type WorkspaceRecord,
} from "../../store/index.js";
import { ApiError, type FieldError } from "../api-error.js";
import { type Notification, runHook } from "../hooks.js";
import type { HandlerDeps } from "./deps.js";
import { HandlerFailure } from "./failure.js";
import { cleanStatusMessage } from "./status-message.js";

/** The reference server calls them characters and counts bytes. S3.48. */
const maxMessageBytes = 160;

/** A status as an app reports it. */
export interface ReportedStatus {
  slug: string;
  state: WireState;
  message: string;
  uri: string;
}

const states: Readonly<Partial<Record<WireState, AppState>>> = {
  [WireState.WORKING]: "working",
  [WireState.IDLE]: "idle",
  [WireState.COMPLETE]: "complete",
  [WireState.FAILURE]: "failure",
};

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

/**
 * Stores a status, tells of it, and tells people where the workspace is there for a task. S3.47–S3.58.
 * @param workspace where it has been read already.
 * @throws HandlerFailure whose cause is the same refusal as an `ApiError`; nothing is stored then.
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

function checkedState({ state: wireState, message }: ReportedStatus): AppState {
  if (Buffer.byteLength(message) > maxMessageBytes) {
    const detail = `Message must be less than ${maxMessageBytes} characters.`;
    throw refusal(400, "Message is too long.", detail, { field: "message", detail });
  }
  const state = states[wireState];
  if (state !== undefined) return state;
  throw refusal(400, "Invalid state provided.", `invalid state: "${wireState}"`, {
    field: "state",
    detail: "State must be one of: complete, failure, working, idle.",
  });
}

/** Whatever goes wrong in looking for it: it is not found. S3.50. */
async function appWithSlug({ store }: HandlerDeps, agentId: string, slug: string): Promise<AppRecord> {
  const apps = await store.apps(agentId).catch(() => []);
  const app = apps.find((candidate) => candidate.slug === slug);
  if (app !== undefined) return app;
  throw refusal(400, "Failed to get workspace app.", `No app found with slug ${goQuote(slug)}`);
}

/** A workspace that nobody has claimed has no identity yet. S3.56. */
async function ownedWorkspace({ store }: HandlerDeps, workspaceId: string): Promise<WorkspaceRecord> {
  const workspace = await store.workspace(workspaceId).catch(() => undefined);
  if (workspace !== undefined && workspace.ownerId !== prebuildsOwnerId) return workspace;
  throw refusal(500, "Workspace identity not cached.");
}

async function attempt<T>(what: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw refusal(500, what, errorText(error));
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

/** An HTTP-style error as text, as callers over dRPC get it. S3.51. */
function refusal(
  status: 400 | 500,
  message: string,
  detail?: string,
  validation?: FieldError,
): HandlerFailure {
  const lines = [`unexpected status code ${status}: ${message}`];
  if (detail !== undefined) lines.push(`\tError: ${detail}`);
  if (validation !== undefined) lines.push(`\t${validation.field}: ${validation.detail}`);
  const cause = new ApiError(status, message, {
    ...(detail === undefined ? {} : { detail }),
    ...(validation === undefined ? {} : { validations: [validation] }),
  });
  return new HandlerFailure(lines.join("\n"), status === 500 ? Code.Internal : Code.InvalidArgument, cause);
}
