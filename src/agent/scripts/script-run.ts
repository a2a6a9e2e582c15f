import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { durationMs } from "../../client/durations.js";
import type { LogSender, Manifest } from "../../client/index-node.js";
import { formatUuid } from "../../codec/index.js";
import { errorText } from "../../rpc/error-text.js";
import type { Workplace } from "../workspace/workplace.js";
import { type CommandEnd, runCommand } from "./command.js";
import { LogFile, logPathOf } from "./log-file.js";
import { ScriptOutput } from "./script-output.js";

/** A script of a manifest. */
export type Script = Manifest["scripts"][number];

/** What one run of a script needs. */
export interface ScriptRunOptions {
  script: Script;
  workplace: Workplace;
  logs: LogSender;
  logDirectory: string;
  /** Under which each script has a folder of its own. */
  dataDirectory: string;
  signal: AbortSignal;
  maxHoldMs?: number | undefined;
  onWarning(text: string): void;
}

/** Runs a script once: its output becomes logs, and a file. Never throws. C4.67. */
export async function runScript(options: ScriptRunOptions): Promise<CommandEnd> {
  const { script, signal, workplace } = options;
  const startedAt = new Date();
  const path = logPathOf(script, options.logDirectory);
  const file = await LogFile.open(path, options.onWarning);
  const { logs, maxHoldMs } = options;
  const output = new ScriptOutput({ logs, sourceId: script.logSourceId, file, signal, maxHoldMs });
  try {
    const dataDirectory = join(options.dataDirectory, formatUuid(script.logSourceId) ?? "unknown");
    await mkdir(dataDirectory, { recursive: true, mode: 0o700 });
    const end = await runCommand({
      script: script.script,
      directory: workplace.directory,
      environment: { ...workplace.environment, CODER_SCRIPT_DATA_DIR: dataDirectory },
      timeoutMs: durationMs(script.timeout),
      signal,
      onStdout: output.onStdout,
      onStderr: output.onStderr,
    });
    await output.end();
    return end;
  } catch (error) {
    const text = errorText(error);
    options.onWarning(`script ${scriptName(script)}: ${text}`);
    return { status: "exit_failure", exitCode: 255, startedAt, endedAt: new Date() };
  } finally {
    await file.close();
  }
}

/** For people. */
export function scriptName({ displayName }: Pick<Script, "displayName">): string {
  return displayName === "" ? "without a name" : `"${displayName}"`;
}
