import { homedir } from "node:os";
import { join } from "node:path";
import {
  type Events,
  openNatsEvents,
  openPostgresCoordinator,
  openPostgresEvents,
  type TailnetOptions,
} from "../server/index.js";
import type { ControlPlaneStore } from "../store/index.js";
import { openEmbeddedStore, openPostgresStore } from "../store/sql/index.js";
import { type OptionValues, type Terminal, text, UsageError } from "./command.js";

/** Where a control plane keeps things, and how it hears of others. Undefined is in memory, and within the process. */
export interface Kept {
  store: ControlPlaneStore | undefined;
  events: Events | undefined;
  /** Of the peers of all control planes on the database. Whoever opens this closes it, after the control plane. */
  coordinator: TailnetOptions["coordinator"];
  /** For people: where state is. */
  where: string;
}

/** Options of commands that keep state. */
export const databaseOptions = {
  database: {
    type: "string",
    value: "WHERE",
    completion: "directory",
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
  if (!isShared) return { ...kept, events: undefined, coordinator: undefined };
  const problemsOf = (what: string) => (error: Error) => terminal.stderr.write(`${what}: ${error.message}\n`);
  let events: Events | undefined;
  try {
    const onProblem = problemsOf("events");
    events =
      eventsUrl === undefined
        ? await openPostgresEvents(database, { onProblem })
        : await openNatsEvents(eventsUrl, { onProblem });
    const coordinator = await openPostgresCoordinator(database, { onProblem: problemsOf("tailnet") });
    return { ...kept, events, coordinator };
  } catch (error) {
    await events?.close();
    await kept.store?.close();
    throw error;
  }
}

type Opened = Pick<Kept, "store" | "where">;

async function openDatabase(database: string | undefined, terminal: Terminal): Promise<Opened> {
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

function inMemory(where: string): Opened {
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
