import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A longer argument is not taken by every system; Linux takes 128 KiB. */
const maxArgumentBytes = 96 * 1024;

/** How a shell is given a script. */
export interface ShellArguments {
  args: string[];
  /** Takes away what was made for it. */
  remove(): Promise<void>;
}

/** A script as an argument, or, where it is too long for that, as a file that only this user reads. */
export async function shellArguments(script: string): Promise<ShellArguments> {
  if (script.includes("\0")) throw new Error("the script has a NUL character, which no shell takes");
  if (Buffer.byteLength(script) <= maxArgumentBytes) {
    return { args: ["-c", script], remove: async () => {} };
  }
  const folder = await mkdtemp(join(tmpdir(), "agentwire-script-"));
  const file = join(folder, "script");
  await writeFile(file, script, { mode: 0o700 });
  return { args: [file], remove: () => rm(folder, { recursive: true, force: true }) };
}
