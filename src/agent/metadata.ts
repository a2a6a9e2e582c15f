import { timestampNow } from "@bufbuild/protobuf/wkt";
import type { AgentConnection, Manifest } from "../client/index-node.js";
import { pause } from "../client/pause.js";
import { runCommand } from "./command.js";
import type { Workplace } from "./manifest.js";

type Description = Manifest["metadata"][number];
type Result = { value: string; error: string; collectedAt: ReturnType<typeof timestampNow> };

/** Collected and reported so often. C4.1. */
const reportIntervalMs = 1000;
const reportTimeoutMs = 30_000;
/** C4.40. */
const maxValueBytes = 10_240;

/**
 * Collects the values of a manifest's metadata, each at its interval, and reports what has changed. C4.37–C4.42.
 * @throws when the signal ends, or a report fails.
 */
export async function reportMetadata(
  agent: Pick<AgentConnection["agent"], "batchUpdateMetadata">,
  descriptions: readonly Description[],
  workplace: Workplace,
  signal: AbortSignal,
): Promise<void> {
  if (descriptions.length === 0) return;
  const keys = descriptions.map((description) => ({
    description,
    startedAtMs: undefined as number | undefined,
    isRunning: false,
  }));
  const results = new Map<string, Result>();
  for (;;) {
    for (const key of keys) {
      if (key.isRunning || !isDue(key.description, key.startedAtMs)) continue;
      key.isRunning = true;
      key.startedAtMs = performance.now();
      void collect(key.description, workplace, signal)
        .then((result) => results.set(key.description.key, result))
        .finally(() => {
          key.isRunning = false;
        });
    }
    await pause(reportIntervalMs, signal);
    if (results.size === 0) continue;
    const metadata = [...results].map(([key, result]) => ({ key, result }));
    results.clear();
    await agent.batchUpdateMetadata({ metadata }, { signal, timeoutMs: reportTimeoutMs });
  }
}

function isDue({ interval }: Description, startedAtMs: number | undefined): boolean {
  if (startedAtMs === undefined) return true;
  const seconds = configuredSeconds(interval);
  return seconds > 0 && performance.now() - startedAtMs >= seconds * 1000 - reportIntervalMs / 2;
}

/** On the wire N configured seconds are N nanoseconds. C1.55. */
function configuredSeconds(duration: { seconds: bigint; nanos: number } | undefined): number {
  return duration === undefined ? 0 : Number(duration.seconds) * 1e9 + duration.nanos;
}

async function collect(
  { script, interval, timeout }: Description,
  { directory, environment }: Workplace,
  signal: AbortSignal,
): Promise<Result> {
  const timeoutSeconds = configuredSeconds(timeout) || configuredSeconds(interval) || 5;
  const chunks: Buffer[] = [];
  let length = 0;
  const take = (chunk: Buffer) => {
    if (length < maxValueBytes) chunks.push(chunk.subarray(0, maxValueBytes - length));
    length += chunk.length;
  };
  const errors: string[] = [];
  try {
    const { status, exitCode } = await runCommand({
      script,
      directory,
      environment,
      timeoutMs: timeoutSeconds * 1000,
      signal,
      onStdout: take,
      onStderr: take,
    });
    if (status === "timed_out") errors.push(`run cmd: no end within ${timeoutSeconds} s`);
    else if (status !== "ok") errors.push(`run cmd: exit status ${exitCode}`);
    if (length > maxValueBytes) errors.push(`output truncated from ${length} to ${maxValueBytes} bytes`);
  } catch (error) {
    errors.push(`start cmd: ${error instanceof Error ? error.message : String(error)}`);
  }
  const value = Buffer.concat(chunks).toString().replaceAll("\0", "");
  return { value, error: errors.join("\n"), collectedAt: timestampNow() };
}
