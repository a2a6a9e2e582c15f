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
  // what a script has left in the background may still write
  const remove = () => rm(root, { recursive: true, force: true, maxRetries: 3 });
  try {
    await mkdir(binDirectory);
    await mkdir(dataDirectory, { mode: 0o700 });
    for (const [name, argv] of Object.entries(commands)) await writeCommand(join(binDirectory, name), argv);
  } catch (error) {
    await remove();
    throw error;
  }
  return { binDirectory, dataDirectory, remove };
}

async function writeCommand(file: string, argv: readonly string[]): Promise<void> {
  const words = argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  await writeFile(file, `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o700 });
}
