import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Of this package. */
export function toolVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** What runs this tool once more. */
export function toolCommand(): string[] {
  return [process.execPath, fileURLToPath(new URL("main.js", import.meta.url))];
}

/** The workspaces file of the first run. */
export function sampleWorkspacesFile(): string {
  return fileURLToPath(new URL("../../examples/workspaces.yaml", import.meta.url));
}
