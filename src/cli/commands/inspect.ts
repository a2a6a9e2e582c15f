import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { untilAborted } from "../../client/until-aborted.js";
import {
  RecordingError,
  type RecordingHead,
  readRecordedEvent,
  readRecordingHead,
} from "../../observe/index.js";
import { errorText } from "../../rpc/error-text.js";
import { type Command, type OptionValues, type Terminal, text, UsageError } from "../command.js";
import { EventOutput } from "../inspect/output.js";
import { startProxy } from "../inspect/proxy.js";
import { Recorder } from "../inspect/recorder.js";
import { type Layer, layers, type View } from "../inspect/view.js";
import { addressOf } from "./serve.js";

const defaultListen = "127.0.0.1:3401";

/** What is for a proxy only. */
const proxyOptions = ["listen", "target", "record", "show-secrets"];

export const inspect: Command = {
  name: "inspect",
  summary: "Shows what goes between an agent and its control plane",
  usage: "[--listen HOST:PORT] [--target URL] | RECORDING",
  options: {
    listen: {
      type: "string",
      value: "HOST:PORT",
      help: `where agents dial; ${defaultListen} by default; port 0 takes a free one`,
    },
    target: { type: "string", value: "URL", help: "the control plane; CODER_AGENT_URL by default" },
    layers: {
      type: "string",
      value: "LIST",
      help: `what to show, of ${layers.join(",")}; rpc by default`,
    },
    rpc: { type: "string", value: "NAME", help: "only RPCs whose name has this in it" },
    stream: { type: "string", value: "N", help: "only this yamux stream" },
    errors: { type: "boolean", help: "only what went wrong" },
    json: { type: "boolean", help: "events as JSON, one on each line" },
    record: { type: "string", value: "FILE", help: "write all events of all layers to this file" },
    "show-secrets": { type: "boolean", help: "do not hide tokens, environments and other secrets" },
  },
  examples: [
    "agentwire inspect --target https://coder.example.com",
    "agentwire inspect --listen 127.0.0.1:0 --layers ws,yamux,drpc,rpc --record agent.jsonl",
    "agentwire inspect agent.jsonl --rpc BatchCreateLogs",
    "agentwire inspect agent.jsonl --errors --json",
  ],
  async run(values, positionals, terminal) {
    const [recording, ...more] = positionals;
    if (more.length > 0) throw new UsageError("give one recording at most");
    const output = { view: viewOf(values), isJson: values["json"] === true };
    if (recording === undefined) return await proxy(values, output, terminal);
    const wrong = proxyOptions.find((name) => values[name] !== undefined);
    if (wrong !== undefined)
      throw new UsageError(`--${wrong} is for a proxy: leave it out, or the recording`);
    return await replay(recording, output, terminal);
  },
};

/** How events are shown. */
interface Shown {
  view: View;
  isJson: boolean;
}

/** Passes on what comes, and shows it, until the terminal ends it. */
async function proxy(values: OptionValues, { view, isJson }: Shown, terminal: Terminal): Promise<number> {
  const target = targetOf(text(values, "target") ?? terminal.env["CODER_AGENT_URL"]);
  const { host, port } = addressOf(text(values, "listen") ?? defaultListen);
  const output = new EventOutput(terminal, view, isJson);
  let recorder: Recorder | undefined;
  const running = await startProxy({
    host,
    port,
    target,
    showSecrets: values["show-secrets"] === true,
    onEvent(event) {
      recorder?.record(event);
      output.show(event);
    },
  });
  try {
    const listening = { url: running.url, target: `${target.origin}${target.pathname.replace(/\/$/, "")}` };
    const file = text(values, "record");
    if (file !== undefined) recorder = new Recorder(file, { type: "recording", format: 1, listening });
    tellListening(listening, isJson, terminal);
    await untilAborted(terminal.signal);
  } finally {
    await running.close();
    recorder?.close();
  }
  if (recorder?.error === undefined) return 0;
  terminal.stderr.write(`${recorder.error}\n`);
  return 1;
}

function tellListening(
  listening: NonNullable<RecordingHead["listening"]>,
  isJson: boolean,
  { stdout, stderr }: Terminal,
): void {
  if (isJson) stdout.write(`${JSON.stringify({ type: "listening", ...listening })}\n`);
  else stderr.write(`Dial ${listening.url} in place of ${listening.target}.\n`);
}

/** Shows a recording. */
async function replay(file: string, { view, isJson }: Shown, terminal: Terminal): Promise<number> {
  const output = new EventOutput(terminal, view, isJson);
  const input: Readable = file === "-" ? terminal.stdin : createReadStream(file);
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  const end = () => lines.close();
  let failure: unknown;
  // the lines would just end
  input.once("error", (error: unknown) => {
    failure = error;
    end();
  });
  terminal.signal.addEventListener("abort", end);
  let number = 0;
  try {
    for await (const line of lines) {
      if (++number > 1) {
        const event = readRecordedEvent(line);
        if (event !== undefined) output.show(event);
        await output.drained();
      } else {
        const { listening } = readRecordingHead(line);
        if (isJson && listening !== undefined) tellListening(listening, isJson, terminal);
      }
      terminal.signal.throwIfAborted();
    }
    terminal.signal.throwIfAborted();
    if (failure !== undefined) throw failure;
    if (number === 0) throw new RecordingError("this is no recording of agentwire inspect");
    return 0;
  } catch (error) {
    if (terminal.signal.aborted) throw error;
    const where = error instanceof RecordingError && number > 0 ? `${file}:${number}` : file;
    throw new UsageError(`${where}: ${errorText(error)}`);
  } finally {
    terminal.signal.removeEventListener("abort", end);
    end();
  }
}

function targetOf(given: string | undefined): URL {
  if (given === undefined)
    throw new UsageError("give --target URL, or a recording; see agentwire inspect --help");
  const url = URL.canParse(given) ? new URL(given) : undefined;
  const protocol = url?.protocol.replace("ws", "http");
  if (url === undefined || (protocol !== "http:" && protocol !== "https:")) {
    throw new UsageError("--target must be a URL such as https://coder.example.com");
  }
  return new URL(`${protocol}//${url.host}${url.pathname}`);
}

function viewOf(values: OptionValues): View {
  const stream = text(values, "stream");
  if (stream !== undefined && !/^\d{1,10}$/.test(stream)) {
    throw new UsageError(`--stream ${stream}: must be the number of a stream`);
  }
  return {
    layers: layersOf(text(values, "layers") ?? "rpc"),
    rpc: text(values, "rpc"),
    stream: stream === undefined ? undefined : Number(stream),
    errors: values["errors"] === true,
  };
}

function layersOf(list: string): ReadonlySet<Layer> {
  const names = list.split(",").map((name) => name.trim());
  const found = layers.filter((layer) => names.includes(layer));
  const unknown = names.find((name) => !layers.some((layer) => layer === name));
  if (unknown !== undefined) {
    throw new UsageError(`--layers ${list}: "${unknown}" is none; there are ${layers.join(", ")}`);
  }
  return new Set(found);
}
