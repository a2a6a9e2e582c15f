// Streams a file, or standard input, as log lines of an agent: beside the agent, whose connection state is the same
// before, during and after.
//
// With Node 22.18 or newer, which runs TypeScript as it is:
//
//   npm install agentwire @bufbuild/protobuf @connectrpc/connect
//   CODER_AGENT_URL=… CODER_AGENT_TOKEN=… node log-streamer.ts build.log
import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { pathToFileURL } from "node:url";
import { connectAgent, LogSender, lineStream, registerLogSource } from "agentwire/client";

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
  // a connection may be lost: the lines stay, and go over the next. With the role "agent", which is the default, the
  // agent would look connected
  const session = connectAgent({ ...target, role: "example-log-streamer", senders: [logs] });
  const refused = new AbortController();
  void session.ended.then(({ error }) => refused.abort(error));
  try {
    await pipeline(open(), lineStream(source), { signal: refused.signal });
    source.flush();
    await logs.whenEmpty(refused.signal);
  } catch (error) {
    throw refused.signal.reason ?? error;
  } finally {
    await session.close();
  }
  return logs;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const { CODER_AGENT_URL: url = "http://127.0.0.1:3400", CODER_AGENT_TOKEN: token = "" } = process.env;
  const [file] = process.argv.slice(2);
  const lines = streamLines({ url, token }, () => (file ? createReadStream(file) : process.stdin));
  await lines.then(
    ({ dropped }) => console.log("dropped:", dropped),
    (error: Error) => {
      console.error(error.message);
      process.exitCode = 1;
    },
  );
}
