import { maxTimerMs } from "../../client/durations.js";
import { TimeLimit } from "../../client/time-limit.js";
import type { AgentSocketConnection } from "../../local/index.js";
import { goQuote } from "../../rpc/index.js";
import {
  type Command,
  jsonOption,
  type OptionValues,
  type Terminal,
  text,
  UsageError,
  writeJson,
} from "../command.js";
import { parseDuration } from "../go-duration.js";
import { connectToSocket, socketHint, socketOptions } from "../socket-options.js";
import { startUnit } from "../sync/start.js";
import { SyncFailure, step } from "../sync/step.js";
import { list, listText, type Shape, statusText } from "../sync/text.js";

/** What a part of the command does with a connection, once its arguments are known to be right. */
type Action = (calls: AgentSocketConnection["agentSocket"], signal: AbortSignal) => Promise<void>;

/** What the parts share. */
interface Facts {
  values: OptionValues;
  pollIntervalMs: number;
  print: (line: string) => void;
  write: (text: string) => void;
  hasTimedOut: () => boolean;
}

type Part = (units: readonly string[], facts: Facts) => Action;

const parts: Readonly<Record<string, Part>> = { ping, want, start, complete, status, list: listUnits };

/** @param pollIntervalMs how often `start` asks; 1 s for users. C5.35. */
export function createSync(pollIntervalMs = 1_000): Command {
  return {
    name: "sync",
    summary: "Lets scripts of a workspace wait for each other, through the agent's socket",
    usage: "ping | want UNIT DEPENDS-ON… | start UNIT | complete UNIT | status UNIT | list [options]",
    options: {
      ...socketOptions,
      timeout: {
        type: "string",
        value: "DURATION",
        help: "start: how long at most; 5m by default, 0 for no limit",
      },
      output: {
        type: "string",
        short: "o",
        value: "FORMAT",
        completion: ["table", "json"],
        help: "status and list: table (default) or json",
      },
      column: {
        type: "string",
        short: "c",
        value: "NAMES",
        help: "status and list: columns of the table, with commas",
      },
      json: { ...jsonOption, help: "as --output json; of the others one line of JSON when they are done" },
    },
    completion: { first: Object.keys(parts) },
    examples: [
      "agentwire sync want app database && agentwire sync start app && ./run-app",
      "agentwire sync start database && ./run-database && agentwire sync complete database",
      "agentwire sync list --json",
    ],
    run: (values, positionals, terminal) => run(values, positionals, terminal, pollIntervalMs),
  };
}

export const sync = createSync();

async function run(
  values: OptionValues,
  [name = "", ...units]: readonly string[],
  terminal: Terminal,
  pollIntervalMs: number,
): Promise<number> {
  const part = Object.hasOwn(parts, name) ? parts[name] : undefined;
  if (part === undefined) {
    const known = Object.keys(parts).join(", ");
    throw new UsageError(
      name === "" ? `sync: give one of ${known}` : `sync ${name}: must be one of ${known}`,
    );
  }
  const timeoutText = text(values, "timeout") ?? "5m";
  const timeoutMs = name === "start" ? parseDuration("timeout", timeoutText) : 0;
  const limit = new TimeLimit(
    timeoutMs > 0 ? Math.min(timeoutMs, maxTimerMs) : undefined,
    terminal.signal,
    `the time-out of ${timeoutText} has passed`,
  );
  const { signal } = limit;
  const isJson = values["json"] === true;
  try {
    const action = part(units, {
      values,
      pollIntervalMs,
      print: (line) => void (isJson || terminal.stdout.write(`${line}\n`)),
      write: (all) => terminal.stdout.write(all),
      hasTimedOut: () => limit.isOver,
    });
    const connection = await step("connect to agent socket", connectToSocket(values, terminal, signal));
    try {
      await action(connection.agentSocket, signal);
    } finally {
      await connection.close();
    }
    if (isJson && !hasReply(part)) writeJson(terminal, { action: name, units, done: true });
    return 0;
  } catch (error) {
    if (!(error instanceof SyncFailure) || terminal.signal.aborted) throw error;
    if (isJson) throw error;
    const hint = socketHint(error);
    terminal.stderr.write(`${error.message}\n${hint === "" ? "" : `${hint}\n`}`);
    return 1;
  } finally {
    limit.release();
  }
}

/** Parts that print what the agent has answered. */
function hasReply(part: Part): boolean {
  return part === status || part === listUnits;
}

function ping(units: readonly string[], { print }: Facts): Action {
  if (units.length > 0) throw new UsageError("sync ping takes no arguments");
  return async (calls, signal) => {
    await step("ping failed", calls.ping({}, { signal }));
    print("Success");
  };
}

function want([unit, ...dependsOn]: readonly string[], { print }: Facts): Action {
  if (unit === undefined || dependsOn.length === 0)
    throw new UsageError("at least two arguments are required: unit and one or more depends-on");
  return async (calls, signal) => {
    for (const one of dependsOn) {
      await step("declare dependency failed", calls.syncWant({ unit, dependsOn: one }, { signal }));
    }
    print(`Unit ${goQuote(unit)} declared dependencies: ${list(dependsOn)}`);
  };
}

function start(units: readonly string[], { pollIntervalMs, print, hasTimedOut }: Facts): Action {
  const unit = onlyUnit(units);
  return (calls, signal) => startUnit(calls, { unit, pollIntervalMs, signal, hasTimedOut, print });
}

function complete(units: readonly string[], { print }: Facts): Action {
  const unit = onlyUnit(units);
  return async (calls, signal) => {
    await step("complete unit failed", calls.syncComplete({ unit }, { signal }));
    print("Success");
  };
}

function status(units: readonly string[], { values, write }: Facts): Action {
  const unit = onlyUnit(units);
  const shown = statusText(unit, shapeOf(values));
  return async (calls, signal) => {
    write(shown(await step("get status failed", calls.syncStatus({ unit }, { signal }))));
  };
}

function listUnits(units: readonly string[], { values, write }: Facts): Action {
  if (units.length > 0) throw new UsageError("sync list takes no arguments");
  const shown = listText(shapeOf(values));
  return async (calls, signal) => {
    write(shown(await step("list units failed", calls.syncList({}, { signal }))));
  };
}

function onlyUnit([unit, ...more]: readonly string[]): string {
  if (unit === undefined || more.length > 0) throw new UsageError("exactly one unit name is required");
  return unit;
}

function shapeOf(values: OptionValues): Shape {
  const output = text(values, "output") ?? (values["json"] === true ? "json" : "table");
  if (output !== "table" && output !== "json") {
    throw new UsageError(`--output ${output}: must be table or json`);
  }
  return { output, columns: text(values, "column") };
}
