import { PassThrough } from "node:stream";
import { onTestFinished } from "vitest";
import { runTool } from "../../src/cli/run-tool.js";

/** A run of the tool in this process. */
export interface ToolRun {
  readonly stdin: PassThrough;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Ctrl-C. */
  interrupt(): void;
  readonly exitCode: Promise<number>;
}

/** A terminal that keeps what is written to it. */
export function terminal(env: Record<string, string> = {}) {
  const stdin = new PassThrough();
  const outputs = { stdout: "", stderr: "" };
  const collect = (name: keyof typeof outputs) =>
    new PassThrough().on("data", (chunk: Buffer) => {
      outputs[name] += chunk.toString();
    });
  const abort = new AbortController();
  return {
    terminal: {
      stdin,
      stdout: collect("stdout"),
      stderr: collect("stderr"),
      env,
      signal: abort.signal,
    },
    stdin,
    stdout: () => outputs.stdout,
    stderr: () => outputs.stderr,
    interrupt: () => abort.abort(),
  };
}

/** Runs the tool; it is interrupted at the end of the test where it has not ended by then. */
export function tool(args: readonly string[], env: Record<string, string> = {}): ToolRun {
  const run = terminal(env);
  const exitCode = runTool(args, run.terminal);
  onTestFinished(async () => {
    run.interrupt();
    await exitCode;
  });
  return { ...run, exitCode };
}

/** Runs the tool to its end. */
export async function toolResult(args: readonly string[], env: Record<string, string> = {}, input = "") {
  const run = tool(args, env);
  run.stdin.end(input);
  const exitCode = await run.exitCode;
  // what is written last is still on its way through the stream
  await new Promise((resolve) => setImmediate(resolve));
  return { exitCode, stdout: run.stdout(), stderr: run.stderr() };
}
