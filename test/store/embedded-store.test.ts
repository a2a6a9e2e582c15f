import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { openEmbeddedStore } from "../../src/store/sql/index.js";
import { storeCompliance } from "./compliance.js";

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "agentwire-store-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

storeCompliance("the embedded store", () => openEmbeddedStore(temporaryFolder()));
