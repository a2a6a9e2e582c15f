/**
 * The context of a workspace, as the agent socket needs it. Listing, adding and removing of sources, and looking at
 * the files again, are C5.19.
 */
export interface ContextService {
  /** The places that were added, as canonical paths. */
  sources(): readonly string[]; // canonical paths
  /** The form of a path by which it is known: absolute, `~` expanded, symbolic links resolved as far as it exists. */
  canonical(path: string): string;
  /** Adds a place. Adding one that is there already is fine. @returns its canonical path. @throws Error with the reason. */
  addSource(path: string): Promise<string>; // returns canonical path; throws Error with the reason
  /** Removes a place. @returns false when it is unknown. */
  removeSource(path: string): Promise<boolean>; // false when unknown
  /** The context as last put together, without looking at the files again. */
  snapshot(): ContextSnapshot; // current one, no new walk
  /** Looks at the files now. @param signal ends the wait. @throws the signal's reason when that ends first. */
  resync(signal?: AbortSignal): Promise<ContextSnapshot>; // walks now
}

/** The context at one time, without contents. */
export interface ContextSnapshot {
  /** Grows with every change; 0 while the agent is still starting up (C4.70). */
  version: bigint;
  /** SHA-256 over the resources except MCP servers (C4.75). */
  aggregateHash: Uint8Array;
  /** Trouble with the context as a whole; empty for none. At most 4,096 bytes. */
  snapshotError: string;
  /** Bytes of the contents that are pushed. */
  payloadBytes: bigint;
  /** Sorted by id. */
  resources: readonly {
    /** Unique; kind and source. */
    id: string;
    kind: "instruction_file" | "skill" | "mcp_config" | "mcp_server";
    /** Identifies the resource among all: the path by which it was found, a skill's folder, `mcp:NAME` for a server. */
    source: string;
    /** The file that is read, symbolic links resolved; empty for an MCP server. */
    sourcePath: string;
    /** SHA-256 of the content, or of its first 64 KiB where it is larger. */
    contentHash: Uint8Array;
    /** Size of the whole content. */
    sizeBytes: bigint;
    status: "ok" | "oversize" | "unreadable" | "invalid" | "excluded";
    /** What is wrong, for a status other than `ok`. At most 4,096 bytes. */
    error: string;
    /** Of a skill or an MCP server. */
    name: string;
    /** Of a skill or an MCP server. */
    description: string;
  }[];
}
