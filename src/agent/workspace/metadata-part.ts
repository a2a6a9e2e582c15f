import { type AgentConnection, type Manifest, MetadataSender } from "../../client/index-node.js";
import { pause } from "../../client/pause.js";
import { cutText } from "../../client/senders/report-fields.js";
import { errorText } from "../../rpc/error-text.js";
import type { AgentHost, AgentPart } from "../part.js";
import { runCommand } from "../scripts/command.js";
import type { Workplace } from "./workplace.js";

type Description = Manifest["metadata"][number];

/** How metadata is collected. */
export interface MetadataOptions {
  /** How often is looked what is due, and values are reported, in milliseconds; 1,000 by default. C4.1. */
  reportIntervalMs?: number;
}

const defaultReportIntervalMs = 1000;
/** C4.40. */
const maxValueBytes = 10_240;

/** Collects the values of a manifest's metadata, each at its interval, and reports what is new. C4.37–C4.43. */
export function metadataPart(host: AgentHost, options: MetadataOptions = {}): AgentPart {
  const { reportIntervalMs = defaultReportIntervalMs } = options;
  const onWarning = (text: string) => host.tell({ kind: "warning", text });
  const sender = new MetadataSender({ reportIntervalMs, onWarning });
  return {
    name: "metadata",
    senders: [sender],
    async onConnection(_connection: AgentConnection, signal: AbortSignal) {
      const { manifest, workplace } = host;
      if (manifest === undefined || workplace === undefined) return;
      const keys = manifest.metadata.map((description) => new Key(description, reportIntervalMs));
      try {
        while (keys.length > 0) {
          for (const key of keys) if (key.isDue) key.collect(workplace, signal, sender, onWarning);
          await pause(reportIntervalMs, signal);
        }
      } finally {
        // no command outlives what it was for
        await Promise.all(keys.map(({ run }) => run));
      }
    },
  };
}

/** One key: when it is due, and its value. At most one run at a time. C4.37, C4.38. */
class Key {
  /** The latest run. Never rejects. */
  run: Promise<void> = Promise.resolve();
  readonly #description: Description;
  readonly #lookIntervalMs: number;
  #startedAtMs: number | undefined;
  #isRunning = false;

  constructor(description: Description, lookIntervalMs: number) {
    this.#description = description;
    this.#lookIntervalMs = lookIntervalMs;
  }

  get isDue(): boolean {
    if (this.#isRunning) return false;
    if (this.#startedAtMs === undefined) return true;
    const seconds = configuredSeconds(this.#description.interval);
    // a look that comes a little early is the one that is meant
    return seconds > 0 && performance.now() - this.#startedAtMs >= seconds * 1000 - this.#lookIntervalMs / 2;
  }

  collect(
    workplace: Workplace,
    signal: AbortSignal,
    sender: MetadataSender,
    onWarning: (text: string) => void,
  ): void {
    this.#startedAtMs = performance.now();
    this.#isRunning = true;
    this.run = this.#collect(workplace, signal, sender)
      .catch((error: unknown) => onWarning(`metadata "${this.#description.key}": ${errorText(error)}`))
      .finally(() => {
        this.#isRunning = false;
      });
  }

  async #collect(workplace: Workplace, signal: AbortSignal, sender: MetadataSender): Promise<void> {
    const timeoutSeconds = timeoutOf(this.#description, this.#lookIntervalMs);
    const result = await resultOf(this.#description.script, workplace, timeoutSeconds, signal);
    // what was ended because the connection did is no value
    if (!signal.aborted) sender.set(this.#description.key, result);
  }
}

async function resultOf(
  script: string,
  { directory, environment }: Workplace,
  timeoutSeconds: number,
  signal: AbortSignal,
): Promise<{ value: string; error: string }> {
  const chunks: Buffer[] = [];
  let keptBytes = 0;
  let bytes = 0;
  const take = (chunk: Buffer) => {
    const kept = chunk.subarray(0, maxValueBytes - keptBytes);
    if (kept.length > 0) chunks.push(Buffer.from(kept));
    keptBytes += kept.length;
    bytes += chunk.length;
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
    else if (status === "pipes_left_open") errors.push("run cmd: its output was left open");
    else if (status !== "ok") errors.push(`run cmd: exit status ${exitCode}`);
    if (bytes > maxValueBytes) errors.push(`output truncated from ${bytes} to ${maxValueBytes} bytes`);
  } catch (error) {
    errors.push(`start cmd: ${errorText(error)}`);
  }
  const all = Buffer.concat(chunks);
  const isCut = bytes > maxValueBytes;
  // no half of a character at the end; and a byte that is none takes more room as a character
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(all, { stream: isCut });
  return { value: isCut ? cutText(text, maxValueBytes).text : text, error: errors.join("\n") };
}

/** On the wire N configured seconds are N nanoseconds. C1.55. */
function configuredSeconds(duration: { seconds: bigint; nanos: number } | undefined): number {
  const seconds = duration === undefined ? 0 : Number(duration.seconds) * 1e9 + duration.nanos;
  return seconds > 0 ? seconds : 0;
}

/** C4.39. */
function timeoutOf({ timeout, interval }: Description, lookIntervalMs: number): number {
  const lookSeconds = Math.trunc(lookIntervalMs / 1000);
  return configuredSeconds(timeout) || configuredSeconds(interval) || 3 * lookSeconds || 5;
}
