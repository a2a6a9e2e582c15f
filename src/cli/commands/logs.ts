import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import {
  connectAgent,
  externalLogSourceId,
  type LineTarget,
  LineWriter,
  type LogLevel,
  LogSender,
  logLevels,
  type ReconnectingSession,
  registerLogSource,
} from "../../client/index-node.js";
import { formatUuid, parseUuid } from "../../codec/index.js";
import { printable } from "../colors.js";
import {
  type Command,
  jsonOption,
  type OptionValues,
  type Terminal,
  text,
  UsageError,
  writeJson,
} from "../command.js";
import { connectionOptions, dialOptionsOf, targetOf } from "../connection-options.js";
import { LogProgress } from "../log-progress.js";

/** How long the last lines have when all is read. */
const lastLinesMs = 60_000;

export const logs: Command = {
  name: "logs",
  summary: "Streams files, or standard input, as logs of the agent",
  usage: "[FILE…] [options]",
  options: {
    ...connectionOptions,
    source: {
      type: "string",
      value: "NAME",
      help: "the name beside the lines; the same name is the same source\n(without it: the source for logs from outside)",
    },
    level: {
      type: "string",
      value: "LEVEL",
      completion: Object.keys(logLevels),
      help: `${Object.keys(logLevels).join(", ")}; info by default`,
    },
    json: { ...jsonOption, help: "print at the end as JSON how many lines were read and sent" },
  },
  completion: { first: "file", rest: "file" },
  examples: [
    "agentwire logs build.log",
    "make 2>&1 | agentwire logs --source make",
    "agentwire logs - < app.log",
  ],
  async run(values, positionals, terminal) {
    const level = levelOf(values);
    const sourceId = await sourceOf(values, terminal);
    const sender = new LogSender();
    const noMore = new AbortController();
    const session = connectAgent({
      ...(await dialOptionsOf("logs", values, terminal)),
      // it only returns when the server takes no more
      onConnected: ({ agent }, signal) => sender.run(agent, signal).then(() => noMore.abort()),
    });
    try {
      await firstConnection(session);
      void tellLosses(session, terminal);
      const ended = new AbortController();
      void session.ended.then(({ error }) => ended.abort(error));
      const signal = AbortSignal.any([ended.signal, noMore.signal, terminal.signal]);
      const source = sender.source(sourceId);
      const progress = new LogProgress(sender, terminal);
      const takeLines: LineTarget = (lines, end) => {
        progress.read(lines.length);
        return source.send(lines, end);
      };
      try {
        await readAll(positionals, terminal, signal, new LineWriter(takeLines, { level, signal }));
        source.flush();
        await allSent(sender, signal);
      } catch (error) {
        if (!noMore.signal.aborted) throw error;
      } finally {
        progress.end();
      }
      if (values["json"] === true) writeJson(terminal, progress.summary());
      return tellUnsent(sender, terminal);
    } finally {
      await session.close();
    }
  },
};

/** What can be done about a first dial that fails is not for this command to know. @throws why it has failed. */
async function firstConnection(session: ReconnectingSession): Promise<void> {
  for await (const state of session.states()) {
    if (state.kind === "connected") return;
    if (state.kind !== "dialling") throw state.error ?? new Error("the session is closed");
  }
}

/** Says once for each connection that is lost that there is none, and when there is one again. */
async function tellLosses(session: ReconnectingSession, { stderr, signal }: Terminal): Promise<void> {
  let isLost = false;
  for await (const state of session.states(signal)) {
    if (state.kind === "lost" && !isLost) {
      stderr.write(`${printable(state.error.message)}: lines wait until there is a connection again\n`);
      isLost = true;
    } else if (state.kind === "connected" && isLost) {
      stderr.write("connected again\n");
      isLost = false;
    }
  }
}

/** Waits for the last lines, but not for ever. */
async function allSent(sender: LogSender, signal: AbortSignal): Promise<void> {
  const late = AbortSignal.timeout(lastLinesMs);
  try {
    await sender.whenEmpty(AbortSignal.any([signal, late]));
  } catch (error) {
    if (signal.aborted || !late.aborted) throw error;
    throw new Error(
      `${sender.pending} lines were not sent within ${lastLinesMs / 1000} s of the input's end`,
    );
  }
}

function levelOf(values: OptionValues): LogLevel {
  const name = text(values, "level") ?? "info";
  if (!Object.hasOwn(logLevels, name))
    throw new UsageError(`--level ${name}: must be one of ${Object.keys(logLevels).join(", ")}`);
  return logLevels[name as keyof typeof logLevels];
}

/** Registers the source where it has a name. */
async function sourceOf(values: OptionValues, terminal: Terminal): Promise<string> {
  const displayName = text(values, "source");
  const id = displayName === undefined ? externalLogSourceId : idOfName(displayName);
  if (displayName !== undefined) {
    const target = await targetOf(values, terminal);
    await registerLogSource({ ...target, id, displayName, signal: terminal.signal });
  }
  return id;
}

/** Namespace of the UUIDs of log sources that are known by their name. */
const sourceNamespace = "b3f6c6a2-6f5e-5d0a-9a58-5f0a4c0f7d11";

/** The same name gives the same UUID: version 5 of RFC 9562. */
export function idOfName(name: string): string {
  const hash = createHash("sha1")
    .update(parseUuid(sourceNamespace) ?? "")
    .update(name)
    .digest();
  const bytes = new Uint8Array(hash.subarray(0, 16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return formatUuid(bytes) ?? "";
}

/** Reads one file after the other; `-` is standard input, and so is no file at all. */
async function readAll(
  files: readonly string[],
  { stdin }: Terminal,
  signal: AbortSignal,
  writer: LineWriter,
): Promise<void> {
  for (const file of files.length === 0 ? ["-"] : files) {
    const stream: Readable = file === "-" ? stdin : createReadStream(file);
    const onAbort = () => stream.destroy();
    signal.addEventListener("abort", onAbort);
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) await writer.write(chunk);
      await writer.end();
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }
}

function tellUnsent({ isLimitReached, dropped, pending }: LogSender, { stderr }: Terminal): number {
  const lines = Object.values(dropped).reduce((sum, count) => sum + count, pending);
  if (lines === 0) return 0;
  if (isLimitReached) {
    stderr.write(`the server takes no more logs of this agent; ${lines} lines were not sent\n`);
  } else if (pending > 0) {
    stderr.write(`the server takes no logs over a connection; ${lines} lines were not sent\n`);
  } else {
    stderr.write(`${lines} lines were too long and were not sent\n`);
  }
  return 1;
}
