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
import { Agent, Tailnet } from "../../client/index-node.js";
import { errorText } from "../../rpc/error-text.js";
import { type Command, pairs, positiveInteger, type Terminal, UsageError } from "../command.js";
import { connect, connectionOptions } from "../connection-options.js";
import { jsonValues } from "../json-values.js";
import { connectAsUser, isForUser, userOptions } from "../user-connection.js";
import { withUuidBytes } from "../uuid-fields.js";

const services = [Agent, Tailnet];

/** How a call is made. */
interface CallFacts {
  signal: AbortSignal;
  timeoutMs: number | undefined;
  header: Record<string, string>;
}

export const call: Command = {
  name: "call",
  summary: "Calls any RPC with JSON",
  usage: "SERVICE/METHOD [JSON | -] [options]",
  options: {
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
    "agentwire call Agent/GetManifest",
    `agentwire call Agent/UpdateAppStatus '{"slug":"claude","state":"IDLE","message":"waiting"}'`,
    "agentwire call coder.tailnet.v2.Tailnet/StreamDERPMaps",
    "agentwire call Tailnet/Coordinate - < requests.jsonl",
    `agentwire call --tailnet Tailnet/WorkspaceUpdates '{"workspaceOwnerId":"OWNER-UUID"}' --token USER-TOKEN`,
  ],
  async run(values, positionals, terminal) {
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

/** `Agent/GetManifest`, `coder.agent.v2.Agent/GetManifest`, with a slash in front or not. */
function methodNamed(name: string): DescMethod {
  const [serviceName = "", methodName = ""] = name.replace(/^\//, "").split("/", 2);
  const service = services.find(
    ({ name: short, typeName }) => serviceName === short || serviceName === typeName,
  );
  if (service === undefined) {
    const known = services.map(({ typeName }) => typeName).join(", ");
    throw new UsageError(`there is no service "${serviceName}"; known are ${known}`);
  }
  const method = service.methods.find((one) => one.name === methodName || one.localName === methodName);
  if (method === undefined) {
    const known = service.methods.map((one) => one.name).join(", ");
    throw new UsageError(`${service.typeName} has no method "${methodName}"; it has ${known}`);
  }
  return method;
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
