import { constants, watch } from "node:fs";
import { open, opendir, realpath, stat } from "node:fs/promises";

/** What an entry of a directory is. */
export type ContextFileKind = "file" | "directory" | "link" | "other";

/** An entry of a directory. */
export interface ContextFileEntry {
  name: string;
  kind: ContextFileKind;
}

/** What is looked at of a file. */
export interface ContextFileStart {
  bytes: Uint8Array;
  /** Of the whole file. */
  sizeBytes: bigint;
}

/** What a context does with the file system; an error that it rejects with has a `code` such as `EACCES`. */
export interface ContextFiles {
  /** The path without symbolic links. */
  realPath(path: string): Promise<string>;
  /** What a path leads to, symbolic links followed. */
  kindOf(path: string): Promise<ContextFileKind>;
  /** What changes when another directory takes the place of one, such as device and inode. */
  identityOf(path: string): Promise<string>;
  /** The entries of a directory in any order; the caller may stop early. */
  entriesOf(path: string): AsyncIterable<ContextFileEntry>;
  /** The first bytes of a regular file. The path must not be a symbolic link. */
  startOf(path: string, maxBytes: number): Promise<ContextFileStart>;
  /**
   * Watches a directory, not what is below it.
   * @param onEvent told `rename` when something comes or goes and `change` when something is written, with the
   * name where it is known.
   * @returns what ends it.
   * @throws when it cannot be watched.
   */
  watch(
    path: string,
    onEvent: (event: "rename" | "change", name: string | undefined) => void,
    onError: (error: Error) => void,
  ): () => void;
}

/** The file system of Node. */
export const nodeFiles: ContextFiles = {
  realPath: (path) => realpath(path),
  kindOf: async (path) => entryKind(await stat(path)),
  async identityOf(path) {
    const { dev, ino } = await stat(path, { bigint: true });
    return `${dev}:${ino}`;
  },
  async *entriesOf(path) {
    for await (const entry of await opendir(path, { bufferSize: 256 })) {
      yield { name: entry.name, kind: entryKind(entry) };
    }
  },
  async startOf(path, maxBytes) {
    // a pipe of that name must not have the open wait for its writer
    const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0);
    const file = await open(path, flags);
    try {
      const found = await file.stat({ bigint: true });
      if (!found.isFile()) throw new Error("it is not a regular file");
      const buffer = new Uint8Array(maxBytes);
      let length = 0;
      while (length < maxBytes) {
        const { bytesRead } = await file.read(buffer, length, maxBytes - length, length);
        if (bytesRead === 0) break;
        length += bytesRead;
      }
      const sizeBytes = length < maxBytes || found.size < length ? BigInt(length) : found.size;
      return { bytes: buffer.slice(0, length), sizeBytes };
    } finally {
      await file.close();
    }
  },
  watch(path, onEvent, onError) {
    const watcher = watch(path, { persistent: false }, (event, name) => onEvent(event, name ?? undefined));
    watcher.on("error", onError);
    return () => watcher.close();
  },
};

function entryKind(entry: {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}): ContextFileKind {
  if (entry.isSymbolicLink()) return "link";
  if (entry.isDirectory()) return "directory";
  return entry.isFile() ? "file" : "other";
}

/** Why something failed, in a word where there is one. */
export function failureCode(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  return code ?? error.message;
}

/** True when what was asked for is not there, or not any more. */
export function isMissing(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes(failureCode(error));
}
