import { type BuildRecord, prebuildsOwnerId, type WorkspaceRecord } from "../../../store/index.js";
import { ApiError } from "../../api-error.js";
import type { ServerEvent } from "../../events/index.js";
import { ended, whenEnded } from "../bell.js";
import type { EventStream } from "../event-stream.js";
import type { HttpDeps } from "../options.js";
import type { AgentCall, RouteAnswer } from "../routes.js";

type ClaimEvent = Extract<ServerEvent, { topic: "claim" }>;

const claimReason = "prebuild_claimed";
const trueWords = new Set(["1", "t", "T", "TRUE", "true", "True"]);

/**
 * `GET /me/reinit`: tells an agent of a prebuilt workspace that somebody has claimed it. With `wait=true` a claim that
 * was before is told too, and who need not wait is told so. S5.27–S5.34.
 */
export async function getReinit(deps: HttpDeps, call: AgentCall): Promise<RouteAnswer> {
  const { store } = deps.handlers;
  const { id: workspaceId } = call.identity.workspace;
  const claims = await followClaims(deps, workspaceId, call.signal);
  const workspace = await attempt("failed to determine workspace from agent token", () =>
    store.workspace(workspaceId),
  );
  if (workspace === undefined) throw failed("failed to determine workspace from agent token");
  const waits = trueWords.has(call.query.get("wait") ?? "");
  const seeded =
    waits && workspace.ownerId !== prebuildsOwnerId ? await claimSoFar(deps, workspace) : undefined;
  return {
    async followEvents(stream) {
      if (seeded === undefined) claims.sendTo(stream);
      else {
        claims.stop();
        stream.send("data", bodyOf(seeded));
      }
      await ended(call.signal);
    },
  };
}

/** Hears of claims from now on; those that come before there is a stream are sent when it is there. */
async function followClaims({ handlers }: HttpDeps, workspaceId: string, signal: AbortSignal) {
  let stream: EventStream | undefined;
  let early: ClaimEvent | undefined;
  const onEvent = (event: ServerEvent) => {
    if (event.topic !== "claim") return;
    if (stream === undefined) early = event;
    else stream.send("data", bodyOf(event));
  };
  const end = await attempt("failed to subscribe to prebuild claimed channel", () =>
    handlers.events.subscribe({ of: "claim", workspaceId }, { onEvent }),
  );
  let isStopped = false;
  const stop = () => {
    if (!isStopped) end();
    isStopped = true;
  };
  whenEnded(signal, stop);
  return {
    stop,
    sendTo(opened: EventStream) {
      stream = opened;
      if (early !== undefined) opened.send("data", bodyOf(early));
    },
  };
}

/**
 * What the store says of a claim.
 * @returns the claim, when it is done; undefined when it is still to come.
 * @throws ApiError 409 when none will come. S5.29.
 */
async function claimSoFar(
  { handlers }: HttpDeps,
  workspace: WorkspaceRecord,
): Promise<ClaimEvent | undefined> {
  const builds = await attempt("failed to get latest workspace build", () =>
    handlers.store.builds(workspace.id),
  );
  if (builds === undefined) throw failed("failed to get latest workspace build");
  const { first, latest } = builds;
  if (first.initiatorId !== prebuildsOwnerId) {
    throw noPrebuild("This endpoint is only for agents running in prebuilt workspaces.");
  }
  if (latest.isClaim) return claimOf(latest, workspace);
  if (latest.initiatorId === prebuildsOwnerId) return undefined;
  throw noPrebuild("The prebuild claim for this workspace has already been handled by an earlier build.");
}

function claimOf({ job }: BuildRecord, { id, ownerId }: WorkspaceRecord): ClaimEvent | undefined {
  if (job.status === "pending" || job.status === "running") return undefined;
  if (job.status === "succeeded") return { topic: "claim", workspaceId: id, ownerId, reason: claimReason };
  throw new ApiError(409, "Claim build failed permanently.", { detail: job.error });
}

function bodyOf({ workspaceId, reason, ownerId }: ClaimEvent) {
  return { workspace_id: workspaceId, reason, ...(ownerId === undefined ? {} : { owner_id: ownerId }) };
}

function noPrebuild(detail: string): ApiError {
  return new ApiError(409, "Workspace is not a prebuilt workspace waiting to be claimed.", { detail });
}

function failed(detail: string): ApiError {
  return new ApiError(500, "An internal server error occurred.", { detail });
}

async function attempt<T>(detail: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch {
    throw failed(detail);
  }
}
