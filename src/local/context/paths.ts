import { realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";

/** `~` expanded, relative paths made absolute. */
export function absolutePath(path: string, directory: string, home: string): string {
  return resolve(
    directory,
    path.replace(/^~(?=[/\\]|$)/, () => home),
  );
}

/** Symbolic links resolved, as far as the absolute path exists. */
export function canonicalPath(path: string): string {
  const missing: string[] = [];
  for (let existing = path; ; existing = dirname(existing)) {
    try {
      return join(realpathSync(existing), ...missing);
    } catch {
      if (dirname(existing) === existing) return path;
      missing.unshift(basename(existing));
    }
  }
}

/** True for the root itself, and for what is below it. Both are absolute and without symbolic links. */
export function isInside(path: string, root: string): boolean {
  const way = relative(root, path);
  // another drive has no relative way
  return way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
