import { cutText } from "../../client/senders/report-fields.js";
import { aggregateHash } from "./aggregate-hash.js";
import { compareForCaps, maxListed, maxPathBytes, SnapshotCaps } from "./caps.js";
import type { ContextFiles } from "./files.js";
import { serverResource } from "./mcp-server.js";
import { readFileResource } from "./read-resource.js";
import { type ContextResource, compareText, type McpServerEntry, maxErrorBytes } from "./resource.js";
import type { Candidate } from "./walk.js";

/** What is known of a workspace's context after a walk. */
export interface Collected {
  /** Sorted by id. */
  resources: readonly ContextResource[];
  aggregateHash: Uint8Array;
  payloadBytes: number;
  snapshotError: string;
}

/** Bytes of all texts beside the contents, so that a push stays within the 4 MiB that a server takes as one message. */
const maxTextBytes = 1_835_008;
/** Faults that are told in full. */
const maxFaults = 8;

/** Reads what a walk has found, one file after the other, within the caps of C4.73. */
export async function collect(
  candidates: Iterable<Candidate>,
  servers: readonly McpServerEntry[],
  walkFaults: readonly string[],
  files: ContextFiles,
  signal: AbortSignal,
): Promise<Collected> {
  const faults = [...walkFaults];
  const found = [...candidates, ...serversByName(servers, faults)].sort(compareForCaps);
  const sendable = found.filter(({ source, sourcePath }) => isSendable(source) && isSendable(sourcePath));
  if (sendable.length < found.length) {
    faults.push(`${found.length - sendable.length} resources left out: paths of over ${maxPathBytes} bytes`);
  }
  const caps = new SnapshotCaps();
  const resources: ContextResource[] = [];
  let textBytes = 0;
  for (const [i, one] of sendable.entries()) {
    if (signal.aborted) break;
    if (resources.length >= maxListed || textBytes > maxTextBytes) {
      faults.push(`${sendable.length - i} resources left out: there are too many of them`);
      break;
    }
    const resource = "status" in one ? one : await readFileResource(one, files);
    if (resource === undefined) continue;
    const listed = caps.apply(resource, contentBytesOf(resource));
    resources.push(listed);
    textBytes += textBytesOf(listed);
  }
  resources.sort((a, b) => compareText(a.id, b.id));
  return {
    resources,
    aggregateHash: aggregateHash(resources),
    payloadBytes: caps.payloadBytes,
    snapshotError: faultsText(faults),
  };
}

/** True when nothing would be pushed otherwise. */
export function isSameContext(a: Collected, b: Collected): boolean {
  return a.snapshotError === b.snapshotError && fingerprint(a) === fingerprint(b);
}

function fingerprint({ resources }: Collected): string {
  return JSON.stringify(
    resources.map(({ content: _content, tools: _tools, contentHash, sizeBytes, ...texts }) => [
      texts,
      Buffer.from(contentHash).toString("hex"),
      String(sizeBytes),
    ]),
  );
}

function serversByName(servers: readonly McpServerEntry[], faults: string[]): ContextResource[] {
  const byName = new Map<string, ContextResource>();
  for (const server of servers) {
    if (server.name === "") faults.push("an MCP server without a name is left out");
    else if (byName.has(server.name)) faults.push(`MCP server ${server.name}: there is another of that name`);
    else byName.set(server.name, serverResource(server));
  }
  return [...byName.values()];
}

function isSendable(path: string): boolean {
  return Buffer.byteLength(path) <= maxPathBytes;
}

/** What counts for the cap of all contents. */
function contentBytesOf({ kind, content, sizeBytes }: ContextResource): number {
  return kind === "mcp_server" ? Number(sizeBytes) : (content?.length ?? 0);
}

function textBytesOf({ source, sourcePath, error, name, description }: ContextResource): number {
  return Buffer.byteLength(source + sourcePath + error + name + description);
}

function faultsText(faults: readonly string[]): string {
  const told = faults.slice(0, maxFaults);
  if (faults.length > told.length) told.push(`and ${faults.length - told.length} more`);
  return cutText(told.join("; "), maxErrorBytes).text;
}
