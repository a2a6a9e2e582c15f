import type { JsonObject, MessageInitShape } from "@bufbuild/protobuf";
import { cutText } from "../../client/senders/report-fields.js";
import { MCPServerBodyCodec } from "../../gen/coder/agent/v2/agent_codec.js";
import type { MCPServerBodySchema } from "../../gen/coder/agent/v2/agent_pb.js";
import { maxResourceBytes, oversizeError } from "./caps.js";
import { failureCode } from "./files.js";
import {
  blankResource,
  type ContextResource,
  faulty,
  type McpServerEntry,
  type McpTool,
  sha256,
} from "./resource.js";

/** Bytes of a server's description. */
const maxDescriptionBytes = 1024;

/** An MCP server as a resource. Its hash is that of its JSON; its size is that, or its size as a message if larger. */
export function serverResource(server: McpServerEntry): ContextResource {
  const { name } = server;
  const description = cutText(server.description ?? "", maxDescriptionBytes).text;
  const blank = { ...blankResource("mcp_server", `mcp:${name}`), name, description };
  let tools: readonly McpTool[];
  let messageBytes: number;
  try {
    // what is no JSON must not be found out when it is pushed
    tools = JSON.parse(JSON.stringify(server.tools.map(toolJson))) as McpTool[];
    messageBytes = MCPServerBodyCodec.encode(serverBody(name, description, tools)).length;
  } catch (error) {
    return faulty(blank, "invalid", `its tools are not JSON: ${failureCode(error)}`);
  }
  const json = Buffer.from(JSON.stringify([name, description, tools]));
  const sizeBytes = BigInt(Math.max(json.length, messageBytes));
  const hashed = { ...blank, sizeBytes, contentHash: sha256(json.subarray(0, maxResourceBytes)) };
  if (sizeBytes > maxResourceBytes) return faulty(hashed, "oversize", oversizeError(sizeBytes));
  return { ...hashed, tools };
}

/** What is pushed of an MCP server. The tools have been through JSON. */
export function serverBody(
  serverName: string,
  description: string,
  tools: readonly McpTool[],
): MessageInitShape<typeof MCPServerBodySchema> {
  const toolInits = tools.map(({ inputSchema, ...tool }) =>
    inputSchema === undefined ? tool : { ...tool, inputSchema: inputSchema as JsonObject },
  );
  return { serverName, description, tools: toolInits };
}

function toolJson({ name, description = "", inputSchema }: McpTool) {
  if (inputSchema === undefined) return { name, description };
  if (typeof inputSchema !== "object" || inputSchema === null || Array.isArray(inputSchema)) {
    throw new Error(`the schema of ${name} is no object`);
  }
  return { name, description, inputSchema };
}
