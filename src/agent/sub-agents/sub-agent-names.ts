import { basename, dirname } from "node:path";

const maxNameCharacters = 64;

/**
 * Names for a sub-agent of a folder, the shortest first; each further one has one more folder in front. At most five.
 * C4.80.
 */
export function automaticNames(directory: string): string[] {
  const names: string[] = [];
  let name = "";
  for (let path = directory; names.length < 5; path = dirname(path)) {
    const part = asName(basename(path));
    if (part !== "") {
      name = name === "" ? part : `${part}-${name}`;
      if (name.length > maxNameCharacters) break;
      names.push(name);
    }
    if (path === dirname(path)) break;
  }
  return names.length > 0 ? names : ["workspace"];
}

/** What of a folder's name can be part of an agent's. */
function asName(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, maxNameCharacters)
    .replace(/-+$/, "");
}
