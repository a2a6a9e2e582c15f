import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { maxTimerMs } from "../../client/durations.js";
import { withinMs } from "../../client/within-ms.js";
import type { ScriptStatus } from "../events.js";
import { shellArguments } from "./script-file.js";

/** A script and what it runs with. */
export interface Command {
  script: string;
  directory: string;
  environment: Readonly<Record<string, string>>;
  /** Ends it after so long; never by default, and where it is more than 24 days. */
  timeoutMs?: number | undefined;
  /** Ends it. */
  signal: AbortSignal;
  /** Takes the output, in order; what it returns is waited for, so that the script is held back. */
  onStdout(chunk: Buffer): void | Promise<void>;
  onStderr(chunk: Buffer): void | Promise<void>;
}

/** How a command ended. */
export interface CommandEnd {
  status: ScriptStatus;
  /** 255 where it has none. C4.68. */
  exitCode: number;
  startedAt: Date;
  endedAt: Date;
}

const unknownExitCode = 255;
/** After the command has ended, its pipes may stay open for so long. C4.68. */
const openPipesMs = 10_000;
/** From the request to end to the end by force. */
const killAfterMs = 2000;
const lookAgainMs = 20;
/** More than pipes and streams can hold: whatever writes so much after the command's end is something else. */
const maxLateBytes = 2 * 1024 * 1024;

/**
 * Runs a script in the user's shell, as a process group of its own.
 * @throws when the shell cannot be started, or an output function fails.
 */
export async function runCommand(command: Command): Promise<CommandEnd> {
  const { args, remove } = await shellArguments(command.script);
  try {
    return await runInShell(args, command);
  } finally {
    await remove();
  }
}

async function runInShell(args: readonly string[], command: Command): Promise<CommandEnd> {
  const { directory, environment, timeoutMs, signal } = command;
  const startedAt = new Date();
  const child = spawn(shell(), args, {
    cwd: directory,
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const exited = exitOf(child);
  const output = new Output(child, command);
  const killer = new GroupKiller(child);
  let isTimedOut = false;
  const isLimited = timeoutMs !== undefined && timeoutMs <= maxTimerMs;
  const timer = isLimited ? setTimeout(onTimeout, timeoutMs) : undefined;
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  try {
    const code = await Promise.race([exited, output.ended.then(() => exited)]);
    const isDrained = await output.drained(openPipesMs);
    const endedAt = new Date();
    if (isTimedOut) return { status: "timed_out", exitCode: unknownExitCode, startedAt, endedAt };
    if (!isDrained) return { status: "pipes_left_open", exitCode: unknownExitCode, startedAt, endedAt };
    return {
      status: code === 0 ? "ok" : "exit_failure",
      exitCode: code ?? unknownExitCode,
      startedAt,
      endedAt,
    };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    await killer.release();
    await output.close();
  }

  function onAbort(): void {
    killer.end();
  }

  function onTimeout(): void {
    isTimedOut = true;
    killer.end();
  }
}

/** The user's shell. */
function shell(): string {
  return process.env["SHELL"] || "/bin/sh";
}

/** The exit code; undefined when a signal has ended it. */
async function exitOf(child: ChildProcess): Promise<number | undefined> {
  const [code] = (await once(child, "exit")) as [number | null];
  return code ?? undefined;
}

/** What a command writes, on its way to who takes it. */
class Output {
  /** Resolves when both pipes have ended and all is taken. */
  readonly ended: Promise<unknown>;
  readonly #streams: readonly Readable[];
  /** Chunks that are being taken right now. */
  #underWay = 0;
  #takenBytes = 0;

  constructor(
    { stdout, stderr }: { stdout: Readable; stderr: Readable },
    { onStdout, onStderr }: Pick<Command, "onStdout" | "onStderr">,
  ) {
    this.#streams = [stdout, stderr];
    this.ended = Promise.all([this.#forEachChunk(stdout, onStdout), this.#forEachChunk(stderr, onStderr)]);
  }

  /**
   * Waits for the end of the pipes, once the command has ended. @returns false when they are still open after a while
   * in which nobody held back what the command has written.
   */
  async drained(timeoutMs: number): Promise<boolean> {
    const before = this.#takenBytes;
    while (!(await withinMs(this.ended, timeoutMs))) {
      if (this.#underWay === 0 || this.#takenBytes - before > maxLateBytes) return false;
    }
    return true;
  }

  async close(): Promise<void> {
    for (const stream of this.#streams) stream.destroy();
    await this.ended.catch(() => {});
  }

  async #forEachChunk(stream: Readable, take: (chunk: Buffer) => void | Promise<void>): Promise<void> {
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        this.#underWay++;
        this.#takenBytes += chunk.length;
        await take(chunk);
        this.#underWay--;
      }
    } catch (error) {
      // closed from here, because the command has ended
      if ((error as NodeJS.ErrnoException).code !== "ERR_STREAM_PREMATURE_CLOSE") throw error;
    }
  }
}

/** Ends a process group: first asks, then forces. */
class GroupKiller {
  readonly #child: ChildProcess;
  #timer: NodeJS.Timeout | undefined;
  #endedAtMs = 0;

  constructor(child: ChildProcess) {
    this.#child = child;
  }

  end(): void {
    if (this.#timer !== undefined) return;
    this.#endedAtMs = performance.now();
    this.#kill("SIGTERM");
    this.#timer = setTimeout(() => this.#kill("SIGKILL"), killAfterMs);
  }

  /** Nothing of what was to end is left running; what an ended command has put in the background is. */
  async release(): Promise<void> {
    const { exitCode, signalCode } = this.#child;
    if (exitCode === null && signalCode === null) this.#kill("SIGKILL");
    if (this.#timer === undefined) return;
    const forceAtMs = this.#endedAtMs + killAfterMs;
    while (performance.now() < forceAtMs && this.#kill(0)) {
      await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
    }
    clearTimeout(this.#timer);
    this.#kill("SIGKILL");
  }

  /** @returns false when there is nothing any more to send the signal to. */
  #kill(signal: NodeJS.Signals | 0): boolean {
    const { pid } = this.#child;
    if (pid === undefined) return false;
    try {
      return process.kill(-pid, signal);
    } catch {
      // It has ended by itself.
      return false;
    }
  }
}
