import { waitOf } from "../../client/durations.js";
import { AppHealth, AppHealthSender, type Manifest, WorkspaceAppHealth } from "../../client/index-node.js";
import { pause } from "../../client/pause.js";
import { formatUuid } from "../../codec/index.js";
import type { AgentHost, AgentPart } from "../part.js";

type App = Manifest["apps"][number];

/** An interval of nanoseconds is a mistake, and must not keep a processor busy. */
const minIntervalMs = 100;

/** Keeps checking the apps that have a health check, and reports when one changes. C4.44–C4.48. */
export function appHealthPart(host: AgentHost): AgentPart {
  const sender = new AppHealthSender({ onWarning: (text) => host.tell({ kind: "warning", text }) });
  const known = new Set<string>();
  return {
    name: "app-health",
    senders: [sender],
    onManifest({ apps }) {
      const ids = new Set(apps.filter(isChecked).map(({ id }) => formatUuid(id)));
      // a server refuses reports of apps that it does not have any more
      for (const id of known) {
        if (ids.has(id)) continue;
        sender.delete(id);
        known.delete(id);
      }
    },
    async onConnection(_connection, signal) {
      const checked = (host.manifest?.apps ?? []).filter(isChecked);
      await Promise.all(
        checked.map((app) =>
          keepChecking(app, signal, (health) => {
            known.add(formatUuid(app.id) ?? "");
            sender.set(app.id, health);
          }),
        ),
      );
    },
  };
}

function isChecked({ id, health, healthcheck }: App): boolean {
  if (health === WorkspaceAppHealth.DISABLED || healthcheck === undefined) return false;
  if (formatUuid(id) === undefined || healthcheck.url === "") return false;
  return waitOf(healthcheck.interval) !== undefined && healthcheck.threshold > 0;
}

async function keepChecking(
  app: App,
  signal: AbortSignal,
  tell: (health: AppHealth) => void,
): Promise<never> {
  const { url = "", threshold = 1, interval } = app.healthcheck ?? {};
  const intervalMs = Math.max(minIntervalMs, waitOf(interval) ?? 0);
  let failures = 0;
  for (;;) {
    await pause(intervalMs, signal);
    if (await isHealthy(url, intervalMs, signal)) {
      failures = 0;
      tell(AppHealth.HEALTHY);
    } else if (++failures > threshold) {
      // one more than the threshold, as the reference agent counts. C4.46
      tell(AppHealth.UNHEALTHY);
    }
  }
}

/** C4.45. */
async function isHealthy(url: string, intervalMs: number, signal: AbortSignal): Promise<boolean> {
  const abort = new AbortController();
  const giveUp = () => abort.abort();
  const timer = setTimeout(giveUp, intervalMs - 1);
  signal.addEventListener("abort", giveUp);
  try {
    const response = await fetch(url, { signal: abort.signal });
    await response.body?.cancel();
    return response.status < 500;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", giveUp);
  }
}
