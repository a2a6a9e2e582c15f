import { homedir } from "node:os";
import { join } from "node:path";
import { type Events, openNatsEvents, openPostgresEvents } from "../server/index.js";
import type { ControlPlaneStore } from "../store/index.js";
import { openEmbeddedStore, openPostgresStore } from "../store/sql/index.js";
import { type OptionValues, type Terminal, text, UsageError } from "./command.js";

/** Where a control plane keeps things, and how it hears of others. Undefined is in memory, and within the process. */
export interface Kept {
  store: ControlPlaneStore | undefined;
  events: Events | undefined;
  /** For people: where state is. */
  where: string;
}

/** Options of commands that keep state. */
export const databaseOptions = {
  database: {
    type: "string",
    value: "WHERE",
    help: "a directory, postgres://…, or memory; a directory of the user's by default",
  },
  events: {
    type: "string",
    value: "URL",
    help: "nats://… for control planes on one database; with PostgreSQL its own notifications by default",
  },
} as const;

/**
 * Opens what `--database` and `--events` say.
 * @throws UsageError when they do not fit together; Error when something cannot be opened.
 */
export async function openKept(values: OptionValues, terminal: Terminal): Promise<Kept> {
  const database = text(values, "database");
  const kept = await openDatabase(database, terminal);
  const eventsUrl = text(values, "events");
  const isShared = database !== undefined && isPostgres(database);
  if (eventsUrl !== undefined && !isShared) {
    throw new UsageError("--events is for control planes on one PostgreSQL database; see --database");
  }
  try {
    const onProblem = (error: Error) => terminal.stderr.write(`events: ${error.message}\n`);
    if (eventsUrl !== undefined) return { ...kept, events: await openNatsEvents(eventsUrl, { onProblem }) };
    if (isShared) return { ...kept, events: await openPostgresEvents(database, { onProblem }) };
    return { ...kept, events: undefined };
  } catch (error) {
    await kept.store?.close();
    throw error;
  }
}

async function openDatabase(database: string | undefined, terminal: Terminal): Promise<Omit<Kept, "events">> {
  if (database === "memory") return inMemory("State is kept in memory; it is gone when this ends.");
  if (database !== undefined && isPostgres(database)) {
    return { store: await openPostgresStore(database), where: "State is kept in PostgreSQL." };
  }
  const directory = database ?? usualDirectory(terminal);
  try {
    return { store: await openEmbeddedStore(directory), where: `State is kept in ${directory}.` };
  } catch (error) {
    // whoever has asked for nothing gets along without
    if (database !== undefined || !isMissingPackage(error)) throw error;
    return inMemory("State is kept in memory; npm install kysely libsql keeps it on disk.");
  }
}

function inMemory(where: string): Omit<Kept, "events"> {
  return { store: undefined, where };
}

function isPostgres(database: string): boolean {
  return /^postgres(ql)?:\/\//.test(database);
}

function isMissingPackage(error: unknown): boolean {
  return error instanceof Error && error.message.includes("npm install");
}

function usualDirectory({ env }: Terminal): string {
  const data = env["XDG_DATA_HOME"] || join(env["HOME"] || homedir(), ".local", "share");
  return join(data, "agentwire");
}
