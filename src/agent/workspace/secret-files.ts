import { chmod, mkdir, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, normalize } from "node:path";
import type { Manifest } from "../../client/index-node.js";

/**
 * Writes the secrets that have a path: directories 0700, files 0600, an existing file keeps its mode. Of two with the
 * same path the last is written. C4.30.
 * @returns what went wrong, without any secret.
 */
export async function writeSecretFiles(manifest: Pick<Manifest, "secrets">): Promise<string[]> {
  const faults: string[] = [];
  const values = new Map<string, Uint8Array>();
  for (const { filePath, value } of manifest.secrets) {
    if (filePath === "") continue;
    const path = normalize(filePath.replace(/^~(?=\/)/, () => homedir()));
    if (values.has(path)) faults.push(`secret file ${path}: several secrets name it; the last one is there`);
    values.set(path, value);
  }
  for (const [path, value] of values) {
    try {
      await writeSecret(path, value);
    } catch (error) {
      faults.push(`secret file ${path}: ${(error as NodeJS.ErrnoException).code ?? "not written"}`);
    }
  }
  return faults;
}

async function writeSecret(path: string, value: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const exists = await stat(path).then(
    () => true,
    () => false,
  );
  await writeFile(path, value, { mode: 0o600 });
  if (!exists) await chmod(path, 0o600);
}
