import { existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "tsdown";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The SQL stores as JavaScript, for processes of a test's own. */
export interface BuiltStore {
  /** As a module. */
  esm: string;
  /** For `require`. */
  cjs: string;
  remove(): void;
}

/** Builds the SQL stores into a temporary folder, as the package is built. */
export async function buildStore(): Promise<BuiltStore> {
  const outDir = mkdtempSync(join(tmpdir(), "agentwire-built-"));
  symlinkSync(join(root, "node_modules"), join(outDir, "node_modules"));
  await build({
    config: false,
    cwd: root,
    entry: { store: "src/store/sql/index.ts" },
    outDir,
    format: ["esm", "cjs"],
    platform: "node",
    target: "es2022",
    deps: { skipNodeModulesBundle: true },
    dts: false,
    clean: false,
    report: false,
    logLevel: "error",
    outExtensions: ({ format }) => ({ js: format === "cjs" ? ".cjs" : ".mjs" }),
  });
  const [esm, cjs] = [join(outDir, "store.mjs"), join(outDir, "store.cjs")] as const;
  if (!existsSync(esm) || !existsSync(cjs)) throw new Error(`nothing was built in ${outDir}`);
  return { esm, cjs, remove: () => rmSync(outDir, { recursive: true, force: true }) };
}
