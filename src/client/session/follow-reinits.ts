import type { ReinitEvent } from "../reinit/reinit-event.js";
import { type ReinitOptions, reinitEvents, reinitsFor } from "../reinit/reinit-events.js";

/** Whether a session waits for its workspace to be given to somebody. */
export interface ReinitFollowing {
  /**
   * Whether to dial anew when the workspace, a prebuilt one, is given to somebody: `onConnected` runs again then, and
   * the manifest that it fetches is another. False by default; other workspaces' servers say at once that there is
   * nothing to wait for. C1.60–C1.69.
   */
  reinit?: boolean;
  /** Told of it, before the session dials anew. */
  onReinit?(event: ReinitEvent): void;
}

/** What of a session is needed for that. */
interface Redialling {
  readonly ended: Promise<unknown>;
  reconnect(reason: string): void;
}

/** Has a session dial anew at each reinitialisation, as long as it lives. */
export function followReinits(
  session: Redialling,
  options: Omit<ReinitOptions, "signal">,
  onReinit: ((event: ReinitEvent) => void) | undefined,
): void {
  const over = new AbortController();
  void session.ended.then(() => over.abort(new Error("the session is closed")));
  const follow = async () => {
    // a server tells of the same claim again and again
    for await (const event of reinitsFor(reinitEvents({ ...options, signal: over.signal }))) {
      onReinit?.(event);
      session.reconnect(`the workspace is another's now (${event.reason})`);
    }
  };
  follow().catch(() => {});
}
