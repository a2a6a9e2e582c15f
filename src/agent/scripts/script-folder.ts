import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder of an agent's own for what its scripts find: programs on their `PATH`, and a place for their data. */
export interface ScriptFolder {
  binDirectory: string;
  dataDirectory: string;
  /** Removes it, with what is in it. */
  remove(): Promise<void>;
}

/**
 * Makes the folder, with a program for each command.
 * @param commands by name, what to run, with arguments; the caller's own arguments are added.
 */
export async function makeScriptFolder(
  commands: Readonly<Record<string, readonly string[]>>,
): Promise<ScriptFolder> {
  const root = await mkdtemp(join(tmpdir(), "agentwire-"));
  const binDirectory = join(root, "bin");
  const dataDirectory = join(root, "data");
  await mkdir(binDirectory);
  await mkdir(dataDirectory, { mode: 0o700 });
  for (const [name, argv] of Object.entries(commands)) {
    const words = argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
    await writeFile(join(binDirectory, name), `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o700 });
  }
  return { binDirectory, dataDirectory, remove: () => rm(root, { recursive: true, force: true }) };
}
