#!/usr/bin/env node
import { interruptSignal } from "./interrupt.js";
import { runTool } from "./run-tool.js";

const { stdin, stdout, stderr, env } = process;
// a reader that has gone away (`agentwire … | head`) is no fault
stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});
process.exitCode = await runTool(process.argv.slice(2), {
  stdin,
  stdout,
  stderr,
  env,
  signal: interruptSignal(),
});
// standard input may still be open, and would keep the process
stdin.destroy();
