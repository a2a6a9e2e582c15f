/** What a resource of the context is. */
export type ContextResourceKind = "instruction_file" | "skill" | "mcp_config" | "mcp_server";

/** How reading a resource went. */
export type ContextResourceStatusText = "ok" | "oversize" | "unreadable" | "invalid" | "excluded";

/** A resource of the context, without its content. */
export interface ContextSnapshotResource {
  id: string;
  kind: ContextResourceKind;
  /** Its own path as it was found: a file, a skill's folder, or the name of a server. */
  source: string;
  /** The real file. */
  sourcePath: string;
  contentHash: Uint8Array;
  /** Size of the original. */
  sizeBytes: bigint;
  status: ContextResourceStatusText;
  /** Why the status is not `ok`; empty otherwise. */
  error: string;
  name: string;
  description: string;
}

/** The context as it was put together last. */
export interface ContextSnapshot {
  /** Counts up with each change; 0 until the start scripts have ended. */
  version: bigint;
  aggregateHash: Uint8Array;
  /** Trouble with the context as a whole; empty for none. */
  snapshotError: string;
  /** Bytes of content, none of which is in here. */
  payloadBytes: bigint;
  resources: readonly ContextSnapshotResource[];
}

/** What the agent socket needs of the agent's context. C5.19. */
export interface ContextService {
  /** The paths that were added, in canonical form. */
  sources(): readonly string[];

  /** @returns the path in canonical form. */
  canonical(path: string): string;

  /**
   * Adds a path to those the context is read from.
   * @returns the path in canonical form.
   * @throws Error with the reason.
   */
  addSource(path: string): Promise<string>;

  /** Takes a path back. @returns false when it is not one of them. */
  removeSource(path: string): Promise<boolean>;

  /** The current snapshot; nothing is walked for it. */
  snapshot(): ContextSnapshot;

  /** Walks now. @returns what came of it. */
  resync(signal?: AbortSignal): Promise<ContextSnapshot>;
}
