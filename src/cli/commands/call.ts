import { text as readText } from "node:stream/consumers";
import {
  type DescMessage,
  type DescMethod,
  type DescMethodStreaming,
  type DescMethodUnary,
  fromJson,
  type JsonValue,
  type MessageShape,
  toJson,
} from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { Tailnet } from "../../client/index-node.js";
import { errorText } from "../../rpc/error-text.js";
import {
  type Command,
  jsonOption,
  type OptionValues,
  pairs,
  positiveInteger,
  type Terminal,
  UsageError,
  writeJson,
} from "../command.js";
import { connect, connectionOptions } from "../connection-options.js";
import { jsonValues } from "../json-values.js";
import {
  describeMethod,
  describeType,
  descriptionText,
  methodFacts,
  methodTable,
  methodText,
} from "../rpc/description.js";
import { allMethods, methodNamed, shortName, typeNamed } from "../rpc/services.js";
import { connectAsUser, isForUser, userOptions } from "../user-connection.js";
import { withUuidBytes } from "../uuid-fields.js";

/** How a call is made. */
interface CallFacts {
  signal: AbortSignal;
  timeoutMs: number | undefined;
  header: Record<string, string>;
}

export const call: Command = {
  name: "call",
  summary: "Calls any RPC with JSON",
  usage: "SERVICE/METHOD [JSON | -] [options] | --list [FILTER] | --describe NAME",
  completion: { first: allMethods.map(shortName) },
  options: {
    list: { type: "boolean", help: "show all RPCs, or those with FILTER in their name; connects to nothing" },
    describe: {
      type: "boolean",
      help: "show an RPC or a message: fields, types, versions, an example; connects\nto nothing",
    },
    json: { ...jsonOption, help: "with --list and --describe, print JSON; answers of calls always are" },
    ...connectionOptions,
    ...userOptions,
    metadata: {
      type: "string",
      multiple: true,
      value: "NAME=VALUE",
      help: "metadata of the call; may be repeated",
    },
    "timeout-ms": { type: "string", value: "MS", help: "the call's deadline; none by default" },
  },
  examples: [
    "agentwire call --list",
    "agentwire call --list resources",
    "agentwire call --describe Agent/UpdateAppStatus",
    "agentwire call --describe Manifest --json",
    "agentwire call Agent/GetManifest",
    `agentwire call Agent/UpdateAppStatus '{"slug":"claude","state":"IDLE","message":"waiting"}'`,
    "agentwire call coder.tailnet.v2.Tailnet/StreamDERPMaps",
    "agentwire call Tailnet/Coordinate - < requests.jsonl",
    `agentwire call --tailnet Tailnet/WorkspaceUpdates '{"workspaceOwnerId":"OWNER-UUID"}' --token USER-TOKEN`,
  ],
  async run(values, positionals, terminal) {
    if (values["list"] === true || values["describe"] === true) return show(values, positionals, terminal);
    const [name, argument, ...more] = positionals;
    if (name === undefined || more.length > 0)
      throw new UsageError("give SERVICE/METHOD, and at most one JSON");
    const method = methodNamed(name);
    const isUser = isForUser(values);
    if (isUser && method.parent !== Tailnet) throw new UsageError(`--tailnet has only ${Tailnet.typeName}`);
    const requests = requestsOf(method, argument, terminal);
    const facts = {
      signal: terminal.signal,
      timeoutMs: positiveInteger(values, "timeout-ms"),
      header: pairs(values, "metadata"),
    };
    const makeCall = await prepared(method, requests, facts);
    const connection = isUser
      ? await connectAsUser(values, terminal)
      : await connect("call", values, terminal);
    try {
      for await (const answer of makeCall(connection.transport)) {
        const json = toJson(method.output, answer);
        terminal.stdout.write(`${JSON.stringify(json, null, terminal.stdout.isTTY ? 2 : 0)}\n`);
      }
      return 0;
    } finally {
      await connection.close();
    }
  },
};

/** What can be called, from the descriptors alone. */
function show(values: OptionValues, [name, ...more]: readonly string[], terminal: Terminal): number {
  const isJson = values["json"] === true;
  const option = values["list"] === true ? "--list" : "--describe";
  if (values["list"] === true && values["describe"] === true) {
    throw new UsageError("give --list or --describe, not both");
  }
  if (more.length > 0) throw new UsageError(`"${more[0]}" is too much after ${option}`);
  if (option === "--list") list(name ?? "", isJson, terminal);
  else if (name === undefined)
    throw new UsageError("--describe needs SERVICE/METHOD, or the name of a message");
  else describe(name, isJson, terminal);
  return 0;
}

function list(filter: string, isJson: boolean, { stdout }: Terminal): void {
  const wanted = filter.toLowerCase();
  const found = allMethods
    .map(methodFacts)
    .filter(({ service, method }) => `${service} ${method}`.toLowerCase().includes(wanted));
  if (found.length === 0)
    throw new UsageError(`no RPC has "${filter}" in its name; there are ${allMethods.length}`);
  if (isJson) for (const facts of found) stdout.write(`${JSON.stringify(facts)}\n`);
  else stdout.write(methodTable(found));
}

function describe(name: string, isJson: boolean, terminal: Terminal): void {
  if (name.includes("/")) {
    const facts = describeMethod(methodNamed(name));
    if (isJson) writeJson(terminal, facts);
    else terminal.stdout.write(methodText(facts));
  } else {
    const facts = describeType(typeNamed(name));
    if (isJson) writeJson(terminal, facts);
    else terminal.stdout.write(descriptionText(facts));
  }
}

type Requests = AsyncIterable<MessageShape<DescMessage>>;

/** The requests: of the argument, or of standard input as it comes. A method that takes a stream takes several. */
async function* requestsOf(method: DescMethod, argument: string | undefined, { stdin }: Terminal): Requests {
  const isStream = method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming";
  if (argument === "-" && isStream) {
    for await (const value of jsonValues(stdin)) yield messageOf(method, value);
    return;
  }
  const source = argument === "-" ? await readText(stdin) : (argument ?? "{}");
  const value = parseJson(source);
  const list = isStream && Array.isArray(value) ? value : [value];
  for (const one of list) yield messageOf(method, one);
}

function messageOf(method: DescMethod, json: JsonValue): MessageShape<DescMessage> {
  try {
    return fromJson(method.input, withUuidBytes(method.input, json));
  } catch (error) {
    throw new ConnectError(errorText(error), Code.InvalidArgument);
  }
}

function parseJson(source: string): JsonValue {
  try {
    return JSON.parse(source) as JsonValue;
  } catch (error) {
    throw new ConnectError(`the request is not JSON: ${(error as Error).message}`, Code.InvalidArgument);
  }
}

type Call = (transport: Transport) => AsyncIterable<MessageShape<DescMessage>>;

/** A call that only lacks a connection: a request that cannot be sent is told before anything is dialled. */
async function prepared(method: DescMethod, requests: Requests, facts: CallFacts): Promise<Call> {
  const { signal, timeoutMs, header } = facts;
  if (method.methodKind === "unary") {
    const request = await onlyOne(requests);
    return async function* (transport) {
      const unary = method as DescMethodUnary;
      yield (await transport.unary(unary, signal, timeoutMs, header, request)).message;
    };
  }
  return async function* (transport) {
    const streaming = method as DescMethodStreaming;
    yield* (await transport.stream(streaming, signal, timeoutMs, header, requests)).message;
  };
}

async function onlyOne(requests: Requests): Promise<MessageShape<DescMessage>> {
  for await (const request of requests) return request;
  throw new ConnectError("there is no request", Code.InvalidArgument);
}
