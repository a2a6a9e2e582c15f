import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import type { ContextPush, ContextPushSource } from "../../client/index-node.js";
import { unlessAborted } from "../../client/until-aborted.js";
import type { ContextService, ContextSnapshot } from "../socket/context-service.js";
import { aggregateHash } from "./aggregate-hash.js";
import { type Collected, collect, isSameContext } from "./collect.js";
import type { ContextEnvironment } from "./environment.js";
import { type ContextFiles, failureCode, isMissing, nodeFiles } from "./files.js";
import { absolutePath, canonicalPath } from "./paths.js";
import { pushRequestOf } from "./push-request.js";
import type { McpServerEntry } from "./resource.js";
import { defaultWalkLimits, Walk, type WalkLimits, type WalkRules } from "./walk.js";
import { Watches } from "./watches.js";

/** What a workspace's context is made of. */
export interface WorkspaceContextOptions {
  /** The working directory; none until `setDirectory` when it is left out. */
  directory?: string;
  /** The user's home directory; the process's own by default. */
  home?: string;
  /** What `takeContextEnvironment` gave; nothing by default. */
  environment?: ContextEnvironment;
  /** The MCP servers that run now. It is asked in each walk: call `resync` when they have changed. */
  mcpServers?: () => readonly McpServerEntry[];
  /** A walk begins when changes have paused so long, in milliseconds; 250 by default. C4.75. */
  debounceMs?: number;
  /** Milliseconds between walks while directories cannot be watched; 30,000 by default. */
  pollMs?: number;
  /** How far walks go below each root. */
  limits?: Partial<WalkLimits>;
  /** The file system; Node's by default. */
  files?: ContextFiles;
}

/** The context of a workspace: what is there for assistants in its files, kept up to date. */
export interface WorkspaceContext extends ContextService, ContextPushSource {
  /** Sets the working directory, `~` expanded; empty for none. Resolves when it has been looked through. */
  setDirectory(path: string): Promise<void>;
  /**
   * Says that startup has finished, well or not: until then the version is 0, and nothing is pushed (C4.70).
   * Resolves with the first snapshot made.
   */
  open(): Promise<void>;
  /** The newest snapshot with contents; undefined before `open`. Contents of MCP configs are never part of it. */
  pushRequest(initial: boolean): ContextPush | undefined;
  /** Stops watching. What is known stays readable. Resolves when nothing runs any more. */
  close(): Promise<void>;
}

const maxSources = 64;
const instructionNames = ["AGENTS.md", "CLAUDE.md", ".cursorrules"];
const blankEnvironment: ContextEnvironment = {
  instructionsDirs: [],
  instructionsFile: undefined,
  skillsDirs: [],
  skillMetaFile: undefined,
  mcpConfigFiles: [],
};

/**
 * Finds instruction files, skills and MCP configs below the working directory, `~/.coder`, `~/.coder/skills`,
 * `~/.claude/plugins/cache` and the sources that are added, and watches for changes (C4.73–C4.76). Directories
 * `node_modules` and `.git` are never entered, and of those that are hidden only `.agents`, `.claude`, `.codex` and
 * `.coder`. Nothing is read before the first call. Close it when it is of no more use.
 */
export function createWorkspaceContext(options: WorkspaceContextOptions = {}): WorkspaceContext {
  return new WatchedContext(options);
}

class WatchedContext implements WorkspaceContext {
  readonly #home: string;
  readonly #environment: ContextEnvironment;
  readonly #mcpServers: () => readonly McpServerEntry[];
  readonly #pollMs: number;
  readonly #limits: WalkLimits;
  readonly #files: ContextFiles;
  readonly #watches: Watches;
  readonly #sources = new Set<string>();
  readonly #listeners = new Set<() => void>();
  readonly #closing = new AbortController();
  #directory = "";
  #isOpen = false;
  #version = 0n;
  #collected: Collected = {
    resources: [],
    aggregateHash: aggregateHash([]),
    payloadBytes: 0,
    snapshotError: "",
  };
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #pollTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: WorkspaceContextOptions) {
    this.#home = options.home ?? homedir();
    this.#environment = options.environment ?? blankEnvironment;
    this.#mcpServers = options.mcpServers ?? (() => []);
    this.#pollMs = options.pollMs ?? 30_000;
    this.#limits = { ...defaultWalkLimits, ...options.limits };
    this.#files = options.files ?? nodeFiles;
    this.#watches = new Watches(this.#files, options.debounceMs ?? 250, () => void this.#walk());
    this.#directory = this.#workingDirectory(options.directory ?? "");
  }

  sources(): readonly string[] {
    return [...this.#sources];
  }

  canonical(path: string): string {
    return canonicalPath(absolutePath(path, this.#directory || this.#home, this.#home));
  }

  async addSource(path: string): Promise<string> {
    this.#throwIfClosed();
    if (path.trim() === "") throw new Error("the path is empty");
    const source = this.canonical(path);
    if (this.#sources.has(source)) return source;
    await this.#checkDirectory(source);
    if (this.#sources.size >= maxSources) {
      throw new Error(`there are ${maxSources} sources, which is the most; remove one first`);
    }
    this.#sources.add(source);
    await this.#walk();
    return source;
  }

  async removeSource(path: string): Promise<boolean> {
    this.#throwIfClosed();
    if (!this.#sources.delete(this.canonical(path))) return false;
    await this.#walk();
    return true;
  }

  snapshot(): ContextSnapshot {
    const { resources, aggregateHash: hash, payloadBytes, snapshotError } = this.#collected;
    return {
      version: this.#version,
      aggregateHash: hash,
      snapshotError,
      payloadBytes: BigInt(payloadBytes),
      resources: resources.map(({ content: _content, tools: _tools, ...facts }) => facts),
    };
  }

  async resync(signal?: AbortSignal): Promise<ContextSnapshot> {
    this.#throwIfClosed();
    const walk = this.#walk();
    await (signal === undefined ? walk : unlessAborted(walk, signal));
    return this.snapshot();
  }

  async setDirectory(path: string): Promise<void> {
    this.#throwIfClosed();
    this.#directory = this.#workingDirectory(path);
    await this.#walk();
  }

  async open(): Promise<void> {
    this.#throwIfClosed();
    if (this.#isOpen) return;
    this.#isOpen = true;
    await this.#walk();
  }

  onChange(listener: () => void): () => void {
    // the same function twice is two listeners
    const own = () => listener();
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  pushRequest(initial: boolean): ContextPush | undefined {
    return this.#version === 0n ? undefined : pushRequestOf(this.#version, this.#collected, initial);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#pollTimer);
    this.#watches.close();
    this.#listeners.clear();
    await Promise.all([this.#running, this.#next]);
  }

  /** Walks; where one is under way already, another one follows it, for all who asked meanwhile. */
  #walk(): Promise<void> {
    if (this.#running === undefined) return this.#start();
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.#running ?? this.#start();
    });
    return this.#next;
  }

  #start(): Promise<void> {
    this.#running = this.#walkOnce().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #walkOnce(): Promise<void> {
    const { signal } = this.#closing;
    if (signal.aborted) return;
    clearTimeout(this.#pollTimer);
    let collected: Collected;
    try {
      collected = await this.#look(signal);
    } catch (error) {
      collected = { ...this.#collected, snapshotError: `the walk failed: ${failureCode(error)}` };
    }
    if (!signal.aborted) this.#take(collected);
  }

  async #look(signal: AbortSignal): Promise<Collected> {
    const { mcpConfigFiles, instructionsDirs } = this.#environment;
    const walk = new Walk(this.#files, this.#watches, this.#rules(), signal);
    this.#watches.beginRound();
    const roots = [
      ...(this.#directory === "" ? [] : [this.#directory]),
      ...[".coder", join(".coder", "skills"), join(".claude", "plugins", "cache")].map((path) =>
        join(this.#home, path),
      ),
      ...instructionsDirs,
      ...this.#environment.skillsDirs,
      ...this.#sources,
    ];
    for (const root of roots) await walk.addRoot(this.canonical(root));
    for (const file of mcpConfigFiles) await walk.addMcpConfig(this.#canonicalFile(file));
    this.#watches.endRound();
    const faults = [...walk.faults];
    const { failures } = this.#watches;
    if (failures.length > 0) {
      faults.push(
        `${failures.length} directories cannot be watched and are looked at every ${this.#pollMs} ms: ${failures[0]}`,
      );
      if (!signal.aborted) this.#pollTimer = setTimeout(() => void this.#walk(), this.#pollMs).unref();
    }
    return collect(walk.candidates.values(), this.#servers(faults), faults, this.#files, signal);
  }

  #rules(): WalkRules {
    const { instructionsFile, skillMetaFile, skillsDirs } = this.#environment;
    return {
      instructionNames: new Set(instructionsFile === undefined ? instructionNames : [instructionsFile]),
      skillMetaName: skillMetaFile ?? "SKILL.md",
      mcpConfigName: ".mcp.json",
      skillsDirectories: new Set(skillsDirs.map((path) => this.canonical(path))),
      limits: this.#limits,
    };
  }

  #servers(faults: string[]): readonly McpServerEntry[] {
    try {
      return this.#mcpServers();
    } catch (error) {
      faults.push(`the MCP servers are not known: ${failureCode(error)}`);
      return [];
    }
  }

  #take(collected: Collected): void {
    const isChanged = this.#version === 0n || !isSameContext(this.#collected, collected);
    if (isChanged) this.#collected = collected;
    if (!this.#isOpen || !isChanged) return;
    this.#version++;
    for (const listener of [...this.#listeners]) {
      try {
        listener();
      } catch (error) {
        // as with any other event: the others hear of it too
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  #workingDirectory(path: string): string {
    return path === "" ? "" : absolutePath(path, this.#home, this.#home);
  }

  /** The directory is canonical; the file itself may be a symbolic link, which is looked at later. */
  #canonicalFile(path: string): string {
    const absolute = absolutePath(path, this.#directory || this.#home, this.#home);
    return join(canonicalPath(dirname(absolute)), basename(absolute));
  }

  async #checkDirectory(path: string): Promise<void> {
    let kind: string;
    try {
      kind = await this.#files.kindOf(path);
    } catch (error) {
      throw new Error(
        isMissing(error) ? `${path} does not exist` : `${path} cannot be read: ${failureCode(error)}`,
        { cause: error },
      );
    }
    if (kind !== "directory") throw new Error(`${path} is not a directory`);
  }

  #throwIfClosed(): void {
    if (this.#closing.signal.aborted) throw new Error("the workspace's context is closed");
  }
}
