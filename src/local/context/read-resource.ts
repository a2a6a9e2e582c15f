import { createHash } from "node:crypto";
import { maxErrorBytes, maxResourceBytes, oversizeError } from "./caps.js";
import { type ContextFiles, type FileStart, failureCode, isMissing } from "./files.js";
import {
  type ContextResource,
  type ContextResourceStatus,
  type McpServerEntry,
  resourceId,
  textWithin,
} from "./resource.js";
import { readSkillMeta } from "./skill-meta.js";
import type { Candidate } from "./walk.js";

/**
 * Reads a file as the resource that it is.
 * @returns undefined when it is not there any more.
 */
export async function readFileResource(
  candidate: Candidate,
  files: ContextFiles,
): Promise<ContextResource | undefined> {
  const { kind, source, sourcePath, problem } = candidate;
  const blank = { ...blankResource(kind, source), sourcePath };
  if (problem !== undefined) return faulty(blank, problem.status, problem.error);
  let start: FileStart;
  try {
    // one byte more tells whether there is more
    start = await files.startOf(sourcePath, maxResourceBytes + 1);
  } catch (error) {
    if (isMissing(error)) return undefined;
    return faulty(blank, "unreadable", `cannot be read: ${failureCode(error)}`);
  }
  const { bytes, sizeBytes } = start;
  const hashed = { ...blank, sizeBytes, contentHash: sha256(bytes.subarray(0, maxResourceBytes)) };
  if (sizeBytes > maxResourceBytes) return faulty(hashed, "oversize", oversizeError(sizeBytes));
  return understood(hashed, bytes);
}

/** An MCP server as a resource. Its size and hash are those of its JSON. */
export function serverResource(server: McpServerEntry): ContextResource {
  const { name, description = "" } = server;
  const blank = {
    ...blankResource("mcp_server", `mcp:${name}`),
    name,
    description: textWithin(description, 1024),
  };
  let json: string;
  let tools: McpServerEntry["tools"];
  try {
    // what is no JSON must not be found out when it is pushed
    json = JSON.stringify(server.tools.map(toolJson));
    tools = JSON.parse(json) as McpServerEntry["tools"];
  } catch (error) {
    return faulty(blank, "invalid", `its tools are not JSON: ${failureCode(error)}`);
  }
  const whole = Buffer.from(JSON.stringify([name, blank.description, tools]));
  const sizeBytes = BigInt(whole.length);
  const hashed = { ...blank, sizeBytes, contentHash: sha256(whole.subarray(0, maxResourceBytes)) };
  if (whole.length > maxResourceBytes) return faulty(hashed, "oversize", oversizeError(sizeBytes));
  return { ...hashed, tools };
}

function toolJson({ name, description = "", inputSchema }: McpServerEntry["tools"][number]) {
  if (inputSchema === undefined) return { name, description };
  if (typeof inputSchema !== "object" || inputSchema === null || Array.isArray(inputSchema)) {
    throw new Error(`the schema of ${name} is no object`);
  }
  return { name, description, inputSchema };
}

/** What a file of its kind must be to be of use. */
function understood(resource: ContextResource, bytes: Uint8Array): ContextResource {
  const text = utf8Text(bytes);
  // it is read as text by those who use it, and its text could not be sent
  if (text === undefined) return faulty(resource, "invalid", "it is not valid UTF-8");
  switch (resource.kind) {
    case "skill":
      try {
        return { ...resource, ...readSkillMeta(text), content: bytes };
      } catch (error) {
        return faulty(resource, "invalid", failureCode(error));
      }
    case "mcp_config":
      // its content may hold secrets, and so do the texts of a JSON parser's errors
      return isJsonObject(text) ? resource : faulty(resource, "invalid", "it is not a JSON object");
    default:
      return { ...resource, content: bytes };
  }
}

function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ""));
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

function blankResource(kind: ContextResource["kind"], source: string): ContextResource {
  return {
    id: resourceId(kind, source),
    kind,
    source,
    sourcePath: "",
    contentHash: sha256(new Uint8Array()),
    sizeBytes: 0n,
    status: "ok",
    error: "",
    name: "",
    description: "",
    content: undefined,
    tools: [],
  };
}

function faulty(resource: ContextResource, status: ContextResourceStatus, error: string): ContextResource {
  return { ...resource, status, error: textWithin(error, maxErrorBytes) };
}

function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}
