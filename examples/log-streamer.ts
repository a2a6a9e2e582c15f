// Streams a file, or standard input, as log lines of an agent: beside the agent, which does not notice.
//
//   npm install agentwire @bufbuild/protobuf @connectrpc/connect
//   CODER_AGENT_URL=… CODER_AGENT_TOKEN=… node log-streamer.ts build.log
import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { dialAgent, LogSender, lineStream, registerLogSource } from "agentwire/client";

/** Always the same, so that people see one source and not one for each run. */
const sourceId = "8f9d4c3e-52b1-4c07-9f0e-6d5a1b7c2e90";

/** Where the control plane is, and the agent's token. */
export interface Target {
  url: string;
  token: string;
}

/** Sends each line of what is opened. @returns the sender, which knows how many were dropped. */
export async function streamLines(target: Target, open: () => Readable): Promise<LogSender> {
  await registerLogSource({ ...target, id: sourceId, displayName: "Log streamer" });
  const logs = new LogSender();
  const source = logs.source(sourceId);
  const end = new AbortController();
  const reading = pipeline(open(), lineStream(source))
    .then(() => source.flush())
    .then(() => logs.whenEmpty())
    .finally(() => end.abort());
  await Promise.all([reading, sendOverConnections(logs, target, end.signal)]);
  return logs;
}

/** A connection may be lost: the lines stay, and go over the next. */
async function sendOverConnections(logs: LogSender, target: Target, end: AbortSignal): Promise<void> {
  while (!end.aborted && !logs.isLimitReached) {
    try {
      // with the role "agent", which is the default, the agent would look connected
      const connection = await dialAgent({ ...target, role: "example-log-streamer", signal: end });
      const lost = new AbortController();
      void connection.closed.then((reason) => lost.abort(reason));
      await logs.run(connection.agent, AbortSignal.any([end, lost.signal])).finally(() => connection.close());
    } catch (error) {
      if (!end.aborted) console.error(String(error));
    }
    await setTimeout(1000, undefined, { signal: end }).catch(() => {});
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { CODER_AGENT_URL: url = "http://127.0.0.1:3400", CODER_AGENT_TOKEN: token = "" } = process.env;
  const file = process.argv[2];
  const { dropped } = await streamLines({ url, token }, () =>
    file ? createReadStream(file) : process.stdin,
  );
  console.log("dropped:", dropped);
}
