import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import {
  externalLogSourceId,
  type LineWriter,
  LogLevel,
  LogSender,
  registerLogSource,
} from "../../client/index-node.js";
import { formatUuid, parseUuid } from "../../codec/index.js";
import { type Command, type OptionValues, type Terminal, text, UsageError } from "../command.js";
import { connect, connectionOptions, targetOf } from "../connection-options.js";

const levels = {
  trace: LogLevel.TRACE,
  debug: LogLevel.DEBUG,
  info: LogLevel.INFO,
  warn: LogLevel.WARN,
  error: LogLevel.ERROR,
};

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
    level: { type: "string", value: "LEVEL", help: `${Object.keys(levels).join(", ")}; info by default` },
  },
  examples: [
    "agentwire logs build.log",
    "make 2>&1 | agentwire logs --source make",
    "agentwire logs - < app.log",
  ],
  async run(values, positionals, terminal) {
    const level = levelOf(values);
    const sourceId = await sourceOf(values, terminal);
    const connection = await connect("logs", values, terminal);
    try {
      const sender = new LogSender();
      const source = sender.source(sourceId);
      const sending = new AbortController();
      void connection.closed.then((end) => sending.abort(end));
      const signal = AbortSignal.any([sending.signal, terminal.signal]);
      const run = sender.run(connection.agent, signal);
      const read = readAll(positionals, terminal, signal, source.writer({ level, signal })).then(() => {
        source.flush();
        return sender.whenEmpty(signal);
      });
      // the sender ends first when the server takes no more, or the connection is lost
      await Promise.race([run, read]).finally(() => sending.abort());
      await Promise.allSettled([run, read]);
      return tellUnsent(sender, terminal);
    } finally {
      await connection.close();
    }
  },
};

function levelOf(values: OptionValues): LogLevel {
  const name = text(values, "level") ?? "info";
  const level = levels[name as keyof typeof levels];
  if (level === undefined)
    throw new UsageError(`--level ${name}: must be one of ${Object.keys(levels).join(", ")}`);
  return level;
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
