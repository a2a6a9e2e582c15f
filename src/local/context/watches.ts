import { basename, join } from "node:path";
import { type ContextFiles, failureCode, isMissing } from "./files.js";

/** What matters of a directory's events. */
export interface Interest {
  /** Entries whose changes matter. */
  names: Iterable<string>;
  /** Directories and links that come and go matter too, but for those that are passed over. */
  passedOver?: (name: string) => boolean;
}

interface Watch {
  readonly identity: string;
  readonly close: () => void;
  round: number;
  names: Set<string>;
  passedOver: ((name: string) => boolean) | undefined;
  /** The directory was moved or removed. */
  isStale: boolean;
}

/** Entries of unknown importance that are looked at; with more of them something is taken as changed. */
const maxDoubtful = 256;
/** So many times the debounce is the longest that changes without a pause hold the news back. */
const maxDebounces = 10;

/**
 * Watches of directories. A walk renews them: it begins a round, has each directory watched before it reads it, and
 * ends the round, with which those that were not renewed end. Recursive watching would watch everything, what is
 * passed over too, and on Linux costs a watch for each file.
 */
export class Watches {
  readonly #files: ContextFiles;
  readonly #onChange: () => void;
  readonly #debounceMs: number;
  readonly #watches = new Map<string, Watch>();
  readonly #doubtful = new Set<string>();
  #round = 0;
  #failures: string[] = [];
  #isClosed = false;
  #isChanged = false;
  #firstEventMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param onChange told once changes have paused for so many milliseconds. */
  constructor(files: ContextFiles, debounceMs: number, onChange: () => void) {
    this.#files = files;
    this.#debounceMs = debounceMs;
    this.#onChange = onChange;
  }

  /** How many directories are watched. */
  get size(): number {
    return this.#watches.size;
  }

  /** Why directories of this round are not watched, `PATH: REASON` each. */
  get failures(): readonly string[] {
    return this.#failures;
  }

  beginRound(): void {
    this.#round++;
    this.#failures = [];
  }

  /** Has a directory watched in this round; again for the same directory adds to what matters. */
  async keep(path: string, interest: Interest): Promise<void> {
    const current = this.#watches.get(path);
    if (current?.round === this.#round) {
      this.#add(current, interest);
      return;
    }
    try {
      const identity = await this.#files.identityOf(path);
      if (this.#isClosed) return;
      if (current !== undefined && !current.isStale && current.identity === identity) {
        current.round = this.#round;
        current.names = new Set(interest.names);
        current.passedOver = interest.passedOver;
        return;
      }
      current?.close();
      this.#watches.delete(path);
      this.#watches.set(path, this.#open(path, identity, interest));
    } catch (error) {
      if (!isMissing(error)) this.#failures.push(`${path}: ${failureCode(error)}`);
    }
  }

  /** Ends what was not renewed. */
  endRound(): void {
    for (const [path, watch] of this.#watches) {
      if (watch.round === this.#round) continue;
      watch.close();
      this.#watches.delete(path);
    }
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const watch of this.#watches.values()) watch.close();
    this.#watches.clear();
    this.#doubtful.clear();
  }

  #add(watch: Watch, { names, passedOver }: Interest): void {
    for (const name of names) watch.names.add(name);
    watch.passedOver ??= passedOver;
  }

  #open(path: string, identity: string, { names, passedOver }: Interest): Watch {
    const close = this.#files.watch(
      path,
      (event, name) => this.#onEvent(path, watch, event, name),
      () => {
        watch.isStale = true;
        this.#changed();
      },
    );
    const watch: Watch = {
      identity,
      close,
      round: this.#round,
      names: new Set(names),
      passedOver,
      isStale: false,
    };
    return watch;
  }

  #onEvent(path: string, watch: Watch, event: "rename" | "change", name: string | undefined): void {
    if (this.#isClosed || this.#watches.get(path) !== watch) return;
    // a directory's own end has its own name, and no more events come after it
    if (event === "rename" && name === basename(path)) watch.isStale = true;
    if (name === undefined || watch.isStale || watch.names.has(name)) {
      this.#changed();
    } else if (event === "rename" && watch.passedOver?.(name) === false) {
      this.#doubt(join(path, name));
    }
  }

  /** Something came or went: it matters when it is a directory, or was one. */
  #doubt(path: string): void {
    if (this.#watches.has(path) || this.#doubtful.size >= maxDoubtful) {
      this.#changed();
      return;
    }
    this.#doubtful.add(path);
    this.#wait();
  }

  #changed(): void {
    this.#isChanged = true;
    this.#wait();
  }

  #wait(): void {
    if (this.#isClosed) return;
    const now = performance.now();
    if (this.#timer === undefined) this.#firstEventMs = now;
    clearTimeout(this.#timer);
    const latest = this.#firstEventMs + this.#debounceMs * maxDebounces;
    this.#timer = setTimeout(() => this.#settle(), Math.max(0, Math.min(this.#debounceMs, latest - now)));
  }

  #settle(): void {
    this.#timer = undefined;
    const doubtful = [...this.#doubtful];
    this.#doubtful.clear();
    const isChanged = this.#isChanged;
    this.#isChanged = false;
    if (isChanged) this.#onChange();
    else void this.#lookAt(doubtful);
  }

  async #lookAt(paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      const isDirectory = await this.#files.kindOf(path).then(
        (kind) => kind === "directory",
        () => false,
      );
      if (this.#isClosed) return;
      if (isDirectory) {
        this.#onChange();
        return;
      }
    }
  }
}
