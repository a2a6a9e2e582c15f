import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ContextPush } from "../../client/index-node.js";
import {
  type ContextResourceSchema,
  ContextResource_Status as Status,
} from "../../gen/coder/agent/v2/agent_pb.js";
import type { Collected } from "./collect.js";
import { serverBody } from "./mcp-server.js";
import type { ContextResource } from "./resource.js";

type ResourceInit = MessageInitShape<typeof ContextResourceSchema>;

const statuses: Readonly<Record<ContextResource["status"], Status>> = {
  ok: Status.OK,
  oversize: Status.OVERSIZE,
  unreadable: Status.UNREADABLE,
  invalid: Status.INVALID,
  excluded: Status.EXCLUDED,
};

/** A snapshot as `PushContextState` has it, with contents. */
export function pushRequestOf(version: bigint, collected: Collected, initial: boolean): ContextPush {
  const { aggregateHash, resources, snapshotError } = collected;
  return { version, aggregateHash, resources: resources.map(resourceInit), initial, snapshotError };
}

function resourceInit(resource: ContextResource): ResourceInit {
  const { source, sourcePath, contentHash, sizeBytes, status, error } = resource;
  return {
    source,
    ...(sourcePath === "" ? {} : { sourcePath }),
    contentHash,
    sizeBytes,
    status: statuses[status],
    error,
    body: bodyOf(resource),
  };
}

/** The variant is always there, as it tells the kind; it is empty for a status other than ok. C4.73. */
function bodyOf(resource: ContextResource): NonNullable<ResourceInit["body"]> {
  const { kind, status, content, name, description, tools } = resource;
  switch (kind) {
    case "instruction_file":
      return { case: "instructionFile", value: content === undefined ? {} : { content } };
    case "skill":
      return { case: "skill", value: content === undefined ? {} : { meta: content, name, description } };
    case "mcp_config":
      // its content never leaves the machine
      return { case: "mcpConfig", value: {} };
    case "mcp_server":
      return { case: "mcpServer", value: status === "ok" ? serverBody(name, description, tools) : {} };
  }
}
