import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { embeddedDialect } from "./embedded-dialect.js";
import { EmbeddedError, EmbeddedThread } from "./embedded-thread.js";
import type { Engine, Failure } from "./engine.js";
import { missingPackage } from "./missing-package.js";

const fileName = "agentwire.db";

/**
 * SQLite in a data directory, which is made where there is none: for the user alone, for tokens are in it.
 * @throws Error when `libsql` is not installed, or the database cannot be opened.
 */
export async function embeddedEngine(directory: string): Promise<Engine> {
  const libsqlPath = pathOfLibsql();
  const file = join(resolve(directory), fileName);
  let thread: EmbeddedThread;
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    thread = await EmbeddedThread.open({ libsqlPath, file });
  } catch (error) {
    const code = (error as { code?: unknown }).code ?? "unknown";
    throw new Error(
      `the database in ${directory} cannot be opened (${code}): the directory must be writable, and ${fileName} in it a database`,
      { cause: error },
    );
  }
  return {
    dialect: embeddedDialect(thread),
    types: { text: "text", bytes: "blob", counter: "integer primary key autoincrement" },
    hasRowLocks: false,
    // each transaction that writes has the whole database
    lock: async () => {},
    failureOf,
  };
}

function pathOfLibsql(): string {
  try {
    return createRequire(import.meta.url).resolve("libsql");
  } catch (error) {
    throw missingPackage("the embedded database", "libsql", error);
  }
}

const unique = /^UNIQUE constraint failed: (.*)$/;
/** SQLite names the columns, not the index. */
const indexes: Readonly<Record<string, string>> = {
  "agents.auth_token": "agents_token",
  "agents.build_id, agents.name": "agents_name",
  "apps.agent_id, apps.slug": "apps_slug",
  "script_timings.script_id, script_timings.started_at_us": "script_timings_run",
};

function failureOf(error: unknown): Failure {
  if (!(error instanceof EmbeddedError)) return { kind: "other", code: "unknown" };
  const { code, message } = error;
  if (code === "SQLITE_CONSTRAINT_FOREIGNKEY") return { kind: "orphan" };
  const [, columns] = unique.exec(message) ?? [];
  if (columns !== undefined) return { kind: "twin", index: indexes[columns] ?? columns };
  if (code.startsWith("SQLITE_BUSY")) return { kind: "collision" };
  return { kind: "other", code };
}
