import { type AgentConnection, AppHealth, type Manifest, WorkspaceAppHealth } from "../client/index-node.js";
import { pause } from "../client/pause.js";
import { durationMs } from "./scripts.js";

type App = Manifest["apps"][number];

const reportIntervalMs = 1000;

/** Keeps checking the apps that have a health check, and reports when one changes. C4.44–C4.47. */
export async function reportAppHealth(
  agent: Pick<AgentConnection["agent"], "batchUpdateAppHealths">,
  apps: readonly App[],
  signal: AbortSignal,
  onWarning: (text: string) => void,
): Promise<void> {
  const checked = apps.filter(isChecked);
  if (checked.length === 0) return;
  const healths = new Map(checked.map((app) => [app, AppHealth.INITIALIZING]));
  let hasChanged = false;
  const checks = checked.map((app) =>
    keepChecking(app, signal, (health) => {
      if (healths.get(app) === health) return;
      healths.set(app, health);
      hasChanged = true;
    }),
  );
  await Promise.all([...checks, keepReporting()]);

  async function keepReporting(): Promise<never> {
    for (;;) {
      await pause(reportIntervalMs, signal);
      if (!hasChanged) continue;
      hasChanged = false;
      const updates = [...healths].map(([{ id }, health]) => ({ id, health }));
      try {
        await agent.batchUpdateAppHealths({ updates }, { signal });
      } catch (error) {
        signal.throwIfAborted();
        hasChanged = true;
        onWarning(`app health: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
}

function isChecked({ health, healthcheck }: App): boolean {
  if (health === WorkspaceAppHealth.DISABLED || healthcheck === undefined) return false;
  return healthcheck.url !== "" && (durationMs(healthcheck.interval) ?? 0) > 0 && healthcheck.threshold > 0;
}

async function keepChecking(
  app: App,
  signal: AbortSignal,
  tell: (health: AppHealth) => void,
): Promise<never> {
  const { url = "", threshold = 1, interval } = app.healthcheck ?? {};
  const intervalMs = durationMs(interval) ?? reportIntervalMs;
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

async function isHealthy(url: string, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) });
    await response.body?.cancel();
    return response.status < 500;
  } catch {
    return false;
  }
}
