import { createHash } from "node:crypto";
import type { ContextSnapshotResource } from "../socket/context-service.js";
import { compareText } from "./resource.js";

/**
 * What changes with the resources from files: SHA-256 over those that are no MCP servers, sorted by id, each as
 * netstrings of id, kind and source, the 32 bytes of its hash, a netstring of its status, and a NUL. C4.75.
 */
export function aggregateHash(
  resources: readonly Pick<ContextSnapshotResource, "id" | "kind" | "source" | "contentHash" | "status">[],
): Uint8Array {
  const hash = createHash("sha256");
  const counted = resources.filter(({ kind }) => kind !== "mcp_server");
  for (const { id, kind, source, contentHash, status } of counted.sort((a, b) => compareText(a.id, b.id))) {
    for (const text of [id, kind, source]) hash.update(netstring(text));
    hash.update(contentHash).update(netstring(status)).update("\0");
  }
  return new Uint8Array(hash.digest());
}

/** Its length in bytes, a colon, the text, a comma. */
function netstring(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from(`${bytes.length}:`), bytes, Buffer.from(",")]);
}
