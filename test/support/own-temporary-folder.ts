import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * What tests, and the programs that they start, leave in the folder for temporary files is removed when all are over:
 * programs that are killed cannot tidy up, and agents leave the logs of scripts to their users.
 */
export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), "aw-"));
  // PostgreSQL runs as another user where tests run as root
  chmodSync(folder, 0o755);
  process.env["TMPDIR"] = folder;
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
