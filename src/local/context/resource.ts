import { createHash } from "node:crypto";
import { cutText } from "../../client/senders/report-fields.js";
import type {
  ContextResourceKind,
  ContextResourceStatusText,
  ContextSnapshotResource,
} from "../socket/context-service.js";

/** A tool of an MCP server. */
export interface McpTool {
  name: string;
  description?: string;
  /** JSON Schema of the arguments. */
  inputSchema?: Readonly<Record<string, unknown>>;
}

/** An MCP server that runs, and what it offers. */
export interface McpServerEntry {
  /** Unique among the servers. */
  name: string;
  description?: string;
  tools: readonly McpTool[];
}

/** A resource with what is pushed of it. */
export interface ContextResource extends ContextSnapshotResource {
  /** What is pushed; undefined where nothing is: for a status other than ok, and for MCP configs always. */
  content: Uint8Array | undefined;
  /** What is pushed of an MCP server, in place of a content. */
  tools: readonly McpTool[];
}

/** Bytes of an error, and of the snapshot's; servers take no more. */
export const maxErrorBytes = 4096;

/** The order of two texts by their UTF-8 bytes: the same everywhere, whatever the locale. */
export function compareText(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** A resource of which nothing is known yet. */
export function blankResource(kind: ContextResourceKind, source: string): ContextResource {
  return {
    id: `${kind}:${source}`,
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

/** A resource with what is wrong with it. */
export function faulty(
  resource: ContextResource,
  status: ContextResourceStatusText,
  error: string,
): ContextResource {
  return { ...resource, status, error: cutText(error, maxErrorBytes).text };
}

export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}
