import { signal } from "@preact/signals";
import type { WatchEventsResponse, Workspace } from "../src/gen/agentwire/admin/v1/admin_pb.js";
import { type Admin, isRefused, read, whatFailed } from "./admin.js";
import { setServerClock } from "./clock.js";
import { Coalesced } from "./coalesced.js";
import { signOut } from "./token.js";

/** How the page hears of news: nothing yet, all of it, or none for now. */
export const liveness = signal<"connecting" | "live" | "lost">("connecting");

/** What went wrong last, for people. */
export const trouble = signal("");

/** All workspaces by id, in the server's order; undefined until they have been read. */
export const workspaces = signal<ReadonlyMap<string, Workspace> | undefined>(undefined);

/** Who is told of news of one agent. */
export interface AgentFollower {
  readonly agentId: string;
  /** Everything may have changed: read it again. */
  onAll(): void;
  /** Something of the agent has changed, other than its log. */
  onChange(): void;
  /** There are lines of log. */
  onLines(): void;
}

const refreshPauseMs = 300;
/** Signs of life come every 15 s, where nobody has set another interval. */
const silenceTimeoutMs = 50_000;
/** Sessions with other servers on the same store make no events here. */
const rereadIntervalMs = 30_000;
const leastBackoffMs = 500;
const maxBackoffMs = 10_000;

/**
 * Keeps what the page shows as it is on the server, over one stream of events, until the signal ends. A stream that is
 * lost is opened again, after pauses that grow.
 */
export async function stayLive(
  admin: Admin,
  follower: AgentFollower | undefined,
  signal: AbortSignal,
): Promise<void> {
  let backoffMs = leastBackoffMs;
  while (!signal.aborted) {
    const attempt = new AbortController();
    const giveUp = () => attempt.abort();
    signal.addEventListener("abort", giveUp);
    try {
      await follow(admin, follower, attempt, () => {
        backoffMs = leastBackoffMs;
      });
      trouble.value = "The server has ended the stream of news.";
    } catch (error) {
      if (signal.aborted) return;
      if (isRefused(error)) return signOut("The server does not take this token.");
      trouble.value = whatFailed(error);
    } finally {
      signal.removeEventListener("abort", giveUp);
      attempt.abort();
    }
    if (signal.aborted) return;
    liveness.value = "lost";
    // not all pages at once, when a server has come back
    await pause(backoffMs * (0.5 + Math.random() / 2), signal);
    backoffMs = Math.min(2 * backoffMs, maxBackoffMs);
  }
}

/** One stream, from its beginning to its end. */
async function follow(
  admin: Admin,
  follower: AgentFollower | undefined,
  attempt: AbortController,
  onLive: () => void,
): Promise<void> {
  const { signal } = attempt;
  const changed = new Set<string>();
  let failure: unknown;
  const guarded = (work: () => Promise<void>) => async () => {
    try {
      await work();
    } catch (error) {
      failure ??= error;
      attempt.abort();
    }
  };
  const refresh = new Coalesced(
    guarded(async () => {
      const ids = [...changed];
      changed.clear();
      await readSome(admin, ids, signal);
    }),
    refreshPauseMs,
  );
  const rereading = setInterval(() => {
    if (!document.hidden) void guarded(() => readAll(admin, signal))();
  }, rereadIntervalMs);
  let silence: ReturnType<typeof setTimeout> | undefined;
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(() => {
      failure ??= new Error("The server has said nothing for too long.");
      attempt.abort();
    }, silenceTimeoutMs);
  };
  const heed = async (event: WatchEventsResponse) => {
    if (event.kind === "watching" || event.dropped) {
      await readAll(admin, signal);
      follower?.onAll();
      liveness.value = "live";
      onLive();
    } else if (event.kind === "logs") follower?.onLines();
    else {
      if (event.agentId === follower?.agentId) follower.onChange();
      if (event.workspaceId === "") return;
      changed.add(event.workspaceId);
      refresh.ask();
    }
  };
  try {
    const request = { agentId: follower?.agentId ?? "", withSessions: true };
    heard();
    for await (const event of admin.watchEvents(request, { signal })) {
      heard();
      await heed(event);
    }
  } catch (error) {
    throw failure ?? error;
  } finally {
    refresh.end();
    clearTimeout(silence);
    clearInterval(rereading);
  }
}

async function readAll(admin: Admin, signal: AbortSignal): Promise<void> {
  const answer = await admin.listWorkspaces({ withApps: true }, read(signal));
  setServerClock(answer.now);
  workspaces.value = new Map(answer.workspaces.map((workspace) => [workspace.id, workspace]));
}

async function readSome(admin: Admin, workspaceIds: string[], signal: AbortSignal): Promise<void> {
  const known = workspaces.value;
  if (known === undefined || workspaceIds.some((id) => !known.has(id))) return readAll(admin, signal);
  const answer = await admin.listWorkspaces({ withApps: true, workspaceIds }, read(signal));
  setServerClock(answer.now);
  const next = new Map(workspaces.value);
  const found = new Map(answer.workspaces.map((workspace) => [workspace.id, workspace]));
  for (const id of workspaceIds) {
    const workspace = found.get(id);
    if (workspace === undefined) next.delete(id);
    else next.set(id, workspace);
  }
  workspaces.value = next;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}
