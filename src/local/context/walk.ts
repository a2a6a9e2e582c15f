import { basename, dirname, join, relative, sep } from "node:path";
import type { ContextResourceKind } from "../socket/context-service.js";
import { type ContextFileEntry, type ContextFiles, failureCode, isMissing } from "./files.js";
import { isInside } from "./paths.js";
import type { Watches } from "./watches.js";

/** How far a walk goes below each root. */
export interface WalkLimits {
  /** Directories below the root, one in the other; 12 by default. */
  maxDepth: number;
  /** Directories that are read; 5,000 by default. */
  maxDirectories: number;
  /** Entries of all directories together; 50,000 by default. */
  maxEntries: number;
}

export const defaultWalkLimits: WalkLimits = { maxDepth: 12, maxDirectories: 5000, maxEntries: 50_000 };

/** What is looked for. */
export interface WalkRules {
  instructionNames: ReadonlySet<string>;
  skillMetaName: string;
  mcpConfigName: string;
  /** Canonical paths of directories of skills, besides those with the name `skills`. */
  skillsDirectories: ReadonlySet<string>;
  limits: WalkLimits;
}

/** A file that may be a resource. */
export interface Candidate {
  kind: Exclude<ContextResourceKind, "mcp_server">;
  source: string;
  sourcePath: string;
  /** Why it must not, or cannot, be read. */
  problem?: { status: "invalid" | "unreadable"; error: string };
}

/** A directory on the way, by the path on which it was found and by its real one. */
interface Place {
  path: string;
  real: string;
  depth: number;
  role: "skills" | "skill" | "plain";
}

/** What is left of the limits of a root. */
interface Budget {
  root: string;
  directories: number;
  entries: number;
  cut: string | undefined;
}

/** Never entered, wherever they are. */
const neverEntered: ReadonlySet<string> = new Set(["node_modules", ".git"]);
/** Of all hidden directories only these are entered: others are large, private, or both. */
const hiddenEntered: ReadonlySet<string> = new Set([".agents", ".claude", ".codex", ".coder"]);

/** Goes through the roots, widest first in each, and notes what may be a resource. C4.74. */
export class Walk {
  readonly #files: ContextFiles;
  readonly #watches: Watches;
  readonly #rules: WalkRules;
  readonly #signal: AbortSignal;
  readonly #names: ReadonlySet<string>;
  /** A directory is read once in each of its roles, on whatever ways it is reached. */
  readonly #visited = new Set<string>();
  /** By source. */
  readonly candidates = new Map<string, Candidate>();
  /** What could not be looked at, and why. */
  readonly faults: string[] = [];

  constructor(files: ContextFiles, watches: Watches, rules: WalkRules, signal: AbortSignal) {
    this.#files = files;
    this.#watches = watches;
    this.#rules = rules;
    this.#signal = signal;
    this.#names = new Set([...rules.instructionNames, rules.skillMetaName, rules.mcpConfigName]);
  }

  /** @param path canonical; a root that is not there yet is watched for. */
  async addRoot(path: string): Promise<void> {
    const root = await this.#existing(path);
    if (root === undefined) return;
    const { maxDirectories, maxEntries } = this.#rules.limits;
    const budget: Budget = { root, directories: maxDirectories, entries: maxEntries, cut: undefined };
    const queue = [this.#place(path, root, undefined)];
    for (const place of queue) {
      if (budget.entries <= 0) budget.cut ??= `${maxEntries} entries`;
      if (this.#signal.aborted || budget.entries <= 0) break;
      queue.push(...(await this.#visit(place, budget)));
    }
    if (budget.cut !== undefined) {
      this.faults.push(`the walk of ${path} ended at ${budget.cut}; what lies beyond is left out`);
    }
  }

  /** @param path canonical but for its last part: an MCP config with a name of its own. */
  async addMcpConfig(path: string): Promise<void> {
    const folder = await this.#existing(dirname(path));
    if (folder === undefined) return;
    const name = basename(path);
    await this.#watches.keep(folder, { names: [name] });
    try {
      const kind = await this.#files.kindOf(path);
      if (kind !== "directory") await this.#addFile("mcp_config", path, join(folder, name), folder);
    } catch (error) {
      if (!isMissing(error)) this.faults.push(`${path}: ${failureCode(error)}`);
    }
  }

  /** @returns its real path; undefined while it is not there, and then its coming is watched for. */
  async #existing(path: string): Promise<string | undefined> {
    let missing = path;
    // what comes while this looks for it is seen in the next round of the loop
    for (let round = 0; round < 100; round++) {
      try {
        if (missing === path) return await this.#files.realPath(path);
        await this.#files.realPath(missing);
        missing = path;
      } catch (error) {
        const parent = dirname(missing);
        if (!isMissing(error) || parent === missing) {
          this.faults.push(`${path}: ${failureCode(error)}`);
          return undefined;
        }
        if (await this.#isWatchedFor(missing, parent)) return undefined;
        missing = parent;
      }
    }
    return undefined;
  }

  /** @returns true when the parent is there and tells when the missing one comes. */
  async #isWatchedFor(missing: string, parent: string): Promise<boolean> {
    const kind = await this.#files.kindOf(parent).catch(() => undefined);
    if (kind !== "directory") return false;
    await this.#watches.keep(parent, { names: [basename(missing)] });
    return this.#files.kindOf(missing).then(
      () => false,
      () => true,
    );
  }

  #place(path: string, real: string, parent: Place | undefined): Place {
    const { skillsDirectories } = this.#rules;
    const isSkills = basename(path) === "skills" || skillsDirectories.has(real);
    const isInSkills =
      parent === undefined
        ? basename(dirname(path)) === "skills" || skillsDirectories.has(dirname(real))
        : parent.role === "skills";
    const role = isInSkills ? "skill" : isSkills ? "skills" : "plain";
    return { path, real, depth: parent === undefined ? 0 : parent.depth + 1, role };
  }

  /** Reads a directory. @returns those in it. */
  async #visit(place: Place, budget: Budget): Promise<Place[]> {
    const { path, real, role } = place;
    const key = `${role}:${real}`;
    if (this.#visited.has(key)) return [];
    this.#visited.add(key);
    if (budget.directories-- <= 0) {
      budget.cut ??= `${this.#rules.limits.maxDirectories} directories`;
      return [];
    }
    // before it is read, so that no change falls between
    await this.#watches.keep(real, { names: this.#names, passedOver: this.#isPassedOver });
    const entries = await this.#entries(place, budget);
    const meta = this.#rules.skillMetaName;
    if (role === "skill" && entries.some(({ name, kind }) => name === meta && kind !== "directory")) {
      await this.#addFile("skill", path, join(real, meta), budget.root);
      // a skill's files are its own; a root is looked through whatever it is
      if (place.depth > 0) return [];
    }
    const directories: Place[] = [];
    for (const { name, kind } of entries) {
      const resource = this.#kindOfName(name);
      if (resource !== undefined && kind !== "directory") {
        await this.#addFile(resource, join(path, name), join(real, name), budget.root);
        continue;
      }
      const target = await this.#directoryAt(place, name, kind, budget.root);
      if (target === undefined) continue;
      const child = this.#place(join(path, name), target, place);
      if (child.depth <= this.#rules.limits.maxDepth) directories.push(child);
      else budget.cut ??= `${this.#rules.limits.maxDepth} directories one in the other`;
    }
    return directories;
  }

  async #entries({ path, real }: Place, budget: Budget): Promise<ContextFileEntry[]> {
    const entries: ContextFileEntry[] = [];
    try {
      for await (const entry of this.#files.entriesOf(real)) {
        if (budget.entries-- <= 0) {
          budget.cut ??= `${this.#rules.limits.maxEntries} entries`;
          break;
        }
        const isOfUse = entry.kind === "directory" || entry.kind === "link" || this.#names.has(entry.name);
        if (isOfUse && !this.#isPassedOver(entry.name)) entries.push(entry);
      }
    } catch (error) {
      if (!isMissing(error)) this.faults.push(`${path}: ${failureCode(error)}`);
    }
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** True for what is neither looked for nor entered. */
  readonly #isPassedOver = (name: string): boolean => {
    if (this.#names.has(name)) return false;
    return isNeverEntered(name) || (name.startsWith(".") && !hiddenEntered.has(name));
  };

  #kindOfName(name: string): "instruction_file" | "mcp_config" | undefined {
    if (this.#rules.instructionNames.has(name)) return "instruction_file";
    return name === this.#rules.mcpConfigName ? "mcp_config" : undefined;
  }

  /** The real path of a directory, or of one that a link in its root leads to. */
  async #directoryAt(
    { real }: Place,
    name: string,
    kind: ContextFileEntry["kind"],
    root: string,
  ): Promise<string | undefined> {
    if (kind === "directory") return join(real, name);
    if (kind !== "link") return undefined;
    try {
      const target = await this.#files.realPath(join(real, name));
      if (!isInside(target, root) || relative(root, target).split(sep).some(isNeverEntered)) return undefined;
      if ((await this.#files.kindOf(target)) !== "directory") return undefined;
      // the end of a link is told by its name only
      await this.#watches.keep(real, { names: [name] });
      return target;
    } catch {
      return undefined;
    }
  }

  /** Notes a file; `path` is where it is, its directory without symbolic links. */
  async #addFile(kind: Candidate["kind"], source: string, path: string, root: string): Promise<void> {
    if (this.candidates.has(source)) return;
    const candidate: Candidate = { kind, source, sourcePath: path };
    try {
      const target = await this.#files.realPath(path);
      if (isInside(target, root)) {
        candidate.sourcePath = target;
        if (target !== path) await this.#watches.keep(dirname(target), { names: [basename(target)] });
      } else {
        const error = `a symbolic link must stay inside its root ${root}`;
        candidate.problem = { status: "invalid", error };
      }
    } catch (error) {
      candidate.problem = { status: "unreadable", error: `cannot be read: ${failureCode(error)}` };
    }
    this.candidates.set(source, candidate);
  }
}

function isNeverEntered(name: string): boolean {
  return neverEntered.has(name);
}
