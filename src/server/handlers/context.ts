import { toJson } from "@bufbuild/protobuf";
import {
  type ContextResource,
  InstructionFileBodySchema,
  MCPConfigBodySchema,
  MCPServerBodySchema,
  type PushContextStateRequest,
  SkillMetaBodySchema,
  ContextResource_Status as Status,
} from "../../gen/coder/agent/v2/agent_pb.js";
import { goQuote } from "../../rpc/index.js";
import type { ContextResourceRecord } from "../../store/index.js";
import { sessionOf } from "../agent-session.js";
import type { AgentHandlers, HandlerDeps } from "./deps.js";
import { doing, HandlerFailure } from "./failure.js";
import { enumText } from "./lifecycle.js";

const largestInt64 = 2n ** 63n - 1n;
const limits = {
  hashBytes: 64,
  errorBytes: 4096,
  resources: 1000,
  sourceBytes: 1024,
  bodyBytes: 262_144,
  bodiesBytes: 4_194_304,
} as const;

const statuses: Readonly<Partial<Record<Status, ContextResourceRecord["status"]>>> = {
  [Status.OK]: "ok",
  [Status.OVERSIZE]: "oversize",
  [Status.UNREADABLE]: "unreadable",
  [Status.INVALID]: "invalid",
  [Status.EXCLUDED]: "excluded",
};

/** PushContextState. S3.109–S3.112. */
export function contextHandlers(deps: HandlerDeps): AgentHandlers {
  return {
    async pushContextState(request, context) {
      const { agentId } = sessionOf(context);
      checkSnapshot(request);
      const resources = checkedResources(request.resources);
      const { version, aggregateHash, snapshotError, initial } = request;
      const snapshot = {
        agentId,
        version,
        aggregateHash,
        snapshotError,
        receivedAtUs: deps.nowUs(),
        resources,
      };
      return { accepted: await doing("upsert snapshot", () => deps.store.replaceContext(snapshot, initial)) };
    },
  };
}

function checkSnapshot({ version, aggregateHash, snapshotError, resources }: PushContextStateRequest): void {
  const what = "agentapi: PushContextState";
  if (version > largestInt64) refuse(`${what} version ${version} exceeds int64 range`);
  const hashBytes = aggregateHash.length;
  if (hashBytes > limits.hashBytes) {
    refuse(`${what} aggregate hash is ${hashBytes} bytes, exceeds ${limits.hashBytes} byte cap`);
  }
  const errorBytes = Buffer.byteLength(snapshotError);
  if (errorBytes > limits.errorBytes) {
    refuse(`${what} snapshot error is ${errorBytes} bytes, exceeds ${limits.errorBytes} byte cap`);
  }
  if (resources.length > limits.resources) {
    refuse(`${what} has ${resources.length} resources, exceeds ${limits.resources} resource cap`);
  }
}

function checkedResources(resources: readonly ContextResource[]): ContextResourceRecord[] {
  const what = "agentapi: PushContextState";
  const seen = new Set<string>();
  let bodiesBytes = 0;
  return resources.map((resource, i) => {
    const { source } = resource;
    const sourceBytes = Buffer.byteLength(source);
    if (source === "") refuse(`${what} resource at index ${i} has empty source`);
    if (sourceBytes > limits.sourceBytes) {
      refuse(
        `${what} resource at index ${i} has ${sourceBytes} byte source, exceeds ${limits.sourceBytes} byte cap`,
      );
    }
    if (seen.has(source)) refuse(`${what} duplicate source ${goQuote(source)}`);
    seen.add(source);
    const { record, bodyBytes } = checkedResource(resource);
    bodiesBytes += bodyBytes;
    if (bodiesBytes > limits.bodiesBytes) {
      refuse(`${what} aggregate body size exceeds ${limits.bodiesBytes} byte cap`);
    }
    return record();
  });
}

function checkedResource(resource: ContextResource) {
  const { source, sourcePath, error, contentHash, sizeBytes, status } = resource;
  const name = `resource ${goQuote(source)}`;
  const cap = (what: string, bytes: number, most: number) => {
    if (bytes > most) refuse(`${name}: ${what} is ${bytes} bytes, exceeds ${most} byte cap`);
  };
  cap("source path", Buffer.byteLength(sourcePath ?? ""), limits.sourceBytes);
  cap("error", Buffer.byteLength(error), limits.errorBytes);
  cap("content hash", contentHash.length, limits.hashBytes);
  if (sizeBytes > largestInt64) refuse(`${name}: size ${sizeBytes} exceeds int64 range`);
  const typed = bodyOf(resource);
  if (typed === undefined) {
    refuse(`${name}: missing body variant; status ${enumText(Status, status)} requires a typed body`);
  }
  const bodyBytes = Buffer.byteLength(JSON.stringify(typed.body));
  cap("body", bodyBytes, limits.bodyBytes);
  return {
    bodyBytes,
    /** The last check comes after the sum of the bodies. */
    record: (): ContextResourceRecord => {
      const known = statuses[status];
      if (known === undefined) refuse(`${name}: unknown status ${status}`);
      return { source, sourcePath, contentHash, sizeBytes, error, status: known, ...typed };
    },
  };
}

function bodyOf({ body }: ContextResource): Pick<ContextResourceRecord, "kind" | "body"> | undefined {
  const options = { useProtoFieldName: true };
  switch (body.case) {
    case "instructionFile":
      return { kind: "instruction_file", body: toJson(InstructionFileBodySchema, body.value, options) };
    case "skill":
      return { kind: "skill", body: toJson(SkillMetaBodySchema, body.value, options) };
    case "mcpConfig":
      return { kind: "mcp_config", body: toJson(MCPConfigBodySchema, body.value, options) };
    case "mcpServer":
      return { kind: "mcp_server", body: toJson(MCPServerBodySchema, body.value, options) };
    default:
      return undefined;
  }
}

function refuse(text: string): never {
  throw new HandlerFailure(text);
}
