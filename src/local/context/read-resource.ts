import { maxResourceBytes, oversizeError } from "./caps.js";
import { type ContextFileStart, type ContextFiles, failureCode, isMissing } from "./files.js";
import { blankResource, type ContextResource, faulty, sha256 } from "./resource.js";
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
  let start: ContextFileStart;
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
