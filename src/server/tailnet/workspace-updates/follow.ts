import { errorText } from "../../../rpc/error-text.js";
import type { ServerEvent, WorkspaceEventKind } from "../../events/index.js";
import { doing } from "../../handlers/failure.js";
import { Bell } from "../../http/bell.js";
import type { ApiUser } from "../../http/users/api-user.js";
import type { TailnetInit } from "../tailnet.js";
import { difference, type KnownWorkspaces, type WorkspaceUpdateInit, wholeState } from "./difference.js";
import { readableWorkspaces } from "./readable.js";

/** What updates are made from. */
export type FollowDeps = Pick<TailnetInit, "store" | "events" | "log">;

/** After these, workspaces or their agents may be others. S4.33. */
const hints: readonly WorkspaceEventKind[] = [
  "state_change",
  "agt_connection_update",
  "agt_timeout",
  "agt_lifecycle_update",
];

/** Without a hint it is looked so often all the same: hints can be lost without a word. */
const longestQuietMs = 60 * 60 * 1000;

/** A read that has failed is done again after so long; each time after twice as long, up to the longest. */
const firstRetryMs = 250;
const longestRetryMs = 30_000;

/**
 * The workspaces of an owner that a user may read: first all of them, even when there are none, then what changes.
 * Hints that come during a read lead to one more. A later read that fails is done again until it works. Ends with the
 * signal. S4.33.
 * @throws HandlerFailure when the owner's events cannot be heard, or the first read fails.
 */
export async function* followWorkspaces(
  deps: FollowDeps,
  user: ApiUser,
  ownerId: string,
  signal: AbortSignal,
): AsyncGenerator<WorkspaceUpdateInit, void, void> {
  const read = () => readableWorkspaces(deps.store, user, ownerId);
  const news = new Bell();
  const unsubscribe = await doing(
    "subscribe to workspace updates: subscribe to workspace event channel",
    () => deps.events.subscribe({ of: "owner", ownerId }, { onEvent: ringFor(news), onDropped: news.ring }),
  );
  try {
    let known = await doing("subscribe to workspace updates: get workspaces and agents by owner ID", read);
    yield wholeState(known);
    while (true) {
      await news.wait(longestQuietMs, signal);
      const now = await readUntilItWorks(deps, read, signal);
      if (now === undefined) return;
      const update = difference(known, now);
      known = now;
      if (update !== undefined) yield update;
    }
  } finally {
    unsubscribe();
  }
}

function ringFor(bell: Bell): (event: ServerEvent) => void {
  return (event) => {
    if (event.topic === "workspace" && hints.includes(event.kind)) bell.ring();
  };
}

/** Undefined when the signal has ended it. */
async function readUntilItWorks(
  { log }: FollowDeps,
  read: () => Promise<KnownWorkspaces>,
  signal: AbortSignal,
): Promise<KnownWorkspaces | undefined> {
  // nobody rings it: hints do not make it hurry
  const pause = new Bell();
  for (let retryMs = firstRetryMs; !signal.aborted; retryMs = Math.min(2 * retryMs, longestRetryMs)) {
    try {
      return await read();
    } catch (error) {
      log.warn("workspaces could not be read for updates; they are read again", {
        error: errorText(error),
        retryMs,
      });
    }
    await pause.wait(retryMs, signal);
  }
  return undefined;
}
