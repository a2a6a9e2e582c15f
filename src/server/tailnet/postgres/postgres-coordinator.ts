import { randomUUID } from "node:crypto";
import type { Client } from "pg";
import { postgresClients } from "../../engines/postgres-clients.js";
import { isRefusal } from "../../engines/postgres-connection.js";
import { messageOf, report } from "../../engines/problems.js";
import { within } from "../../engines/waits.js";
import type { Coordination, Coordinator, Peer } from "../coordinator.js";
import type { LineEnd } from "../peer-line.js";
import { ChangeReader } from "./change-reader.js";
import { Heartbeat } from "./heartbeat.js";
import { LocalPeer } from "./local-peer.js";
import { Neighbourhood } from "./neighbourhood.js";
import { type PostgresCoordinatorOptions, type ResolvedOptions, resolveOptions } from "./options.js";
import { beat, isKnown, leave, nextConnection, type WriteRow, write } from "./statements.js";
import { WriteBatch } from "./write-batch.js";
import { type Joined, WriteQueue } from "./write-queue.js";
import { Writer } from "./writer.js";

/**
 * A coordinator whose peers are connected to any of the processes that use one PostgreSQL database. To its peers it is
 * as the one of a single process, and has two ends more: when the database does not answer for three heartbeats, all its
 * peers are told `coordinator unhealthy` and it takes no others until it answers again (S4.25); and the peers of a
 * process that is gone without a word are lost to others after three heartbeats.
 *
 * Makes its tables, whose names begin with `agentwire_tailnet`, where they are not. Takes two connections; they must
 * not go through a pooler that hands out a connection for a transaction only. Needs the package `pg`.
 * @param url as `postgres://user:password@host:5432/database`.
 * @throws RangeError when an option is not positive; Error when `pg` is not installed, the URL cannot be read, or the
 *   database cannot be used.
 */
export async function openPostgresCoordinator(
  url: string,
  options: PostgresCoordinatorOptions = {},
): Promise<Coordinator> {
  const resolved = resolveOptions(options);
  const createClient = await postgresClients(url, {
    what: "Tailnet coordinators over PostgreSQL",
    applicationName: "agentwire tailnet",
    timeoutMs: resolved.timeoutMs,
    config: { statement_timeout: resolved.timeoutMs },
  });
  const coordinator = new PostgresCoordinator(createClient, resolved);
  try {
    await coordinator.open();
  } catch (error) {
    await coordinator.close();
    throw new Error(`PostgreSQL cannot be used for the tailnet: ${messageOf(error)}`);
  }
  return coordinator;
}

const unhealthy = "coordinator unhealthy";
/** A batch that fails so often is at fault itself. */
const maxAttempts = 20;

class PostgresCoordinator implements Coordinator {
  readonly #options: ResolvedOptions;
  readonly #writer: Writer;
  readonly #writes: WriteQueue<WriteBatch>;
  readonly #reader: ChangeReader;
  readonly #heartbeat: Heartbeat;
  readonly #neighbourhood = new Neighbourhood();
  readonly #locals = new Map<string, LocalPeer>();
  /** What others know it as; another whenever it has been taken for gone. */
  #id = randomUUID();
  /** What it was known as before, until the database has heard that this is over. */
  #formerId: string | undefined;
  /** The database knows it by its id. */
  #isKnown = false;
  /** Until then others may be about to write what the database has lost. */
  #isRestoring: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;

  constructor(createClient: () => Client, options: ResolvedOptions) {
    this.#options = options;
    this.#writer = new Writer(createClient, options);
    this.#writes = new WriteQueue(
      () => new WriteBatch(),
      (batch) => this.#send(batch).catch((error) => this.#refuse(error)),
    );
    this.#reader = new ChangeReader(
      createClient,
      {
        neighbourhood: this.#neighbourhood,
        onConnection: (id, connection) => this.#onConnection(id, connection),
        joinedPeers: () => [...this.#locals.values()].filter(({ connection }) => connection !== undefined),
        isWhole: (client) => this.#isWhole(client),
      },
      options,
    );
    this.#heartbeat = new Heartbeat(
      {
        beat: () => this.#beat(),
        onUnhealthy: () => this.#sendHome(),
        onProblem: (error) => {
          const text = `PostgreSQL has refused the heartbeat of the tailnet: ${messageOf(error)}`;
          report(options.onProblem, new Error(text));
        },
      },
      options,
    );
  }

  get peerCount(): number {
    return this.#locals.size;
  }

  async open(): Promise<void> {
    // one after the other: the first makes the tables
    await this.#writer.open();
    await this.#reader.open();
    // a permission that is missing is to be missed now, not by the first peer
    await this.#writer.query(nextConnection);
    await this.#writer.query({ ...write, values: new WriteBatch().values(this.#id) });
    await within(this.#heartbeat.start(), this.#options.timeoutMs, "the first heartbeat");
  }

  /** @throws TypeError when the id of the peer is no UUID. */
  coordinate(peer: Peer): Coordination {
    const local = new LocalPeer(peer, this.#options.limits, {
      writes: this.#writes,
      over: (over, why) => this.#over(over, why),
    });
    if (this.#closed !== undefined) local.line.end();
    else if (!this.#heartbeat.isHealthy) local.line.close(unhealthy);
    else this.#arrive(local);
    return local.line;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#heartbeat.stop();
    clearTimeout(this.#isRestoring);
    this.#neighbourhood.sayAllGoodbye();
    this.#endAll("coordinator closed");
    if (this.#isKnown) {
      // who does not hear it notices in three heartbeats
      const left = this.#writer.insist({ text: leave("closed"), values: [this.#id] });
      await within(left, this.#options.timeoutMs, "the end").catch(() => {});
    }
    await Promise.all([this.#writer.close(), this.#reader.close()]);
  }

  #arrive(local: LocalPeer): void {
    const before = this.#locals.get(local.id);
    if (before !== undefined) this.#overwrite(before);
    local.heir = before?.connection ?? before?.heir;
    this.#locals.set(local.id, local);
    this.#neighbourhood.add(local);
    this.#writeJoin(local).catch((error) => local.line.close(messageOf(error)));
  }

  #writeJoin(local: LocalPeer): Promise<boolean> {
    const onJoined = (joined: Joined | undefined) => this.#onJoined(local, joined);
    return this.#writes.add({ of: "join", local, onJoined });
  }

  /** S4.24. */
  #overwrite(local: LocalPeer): void {
    if (this.#locals.get(local.id) !== local) return;
    this.#locals.delete(local.id);
    this.#neighbourhood.remove(local);
    local.line.close("peer ID overwritten by new connection");
  }

  #over(local: LocalPeer, why: LineEnd): void {
    if (this.#locals.get(local.id) !== local) return;
    this.#locals.delete(local.id);
    this.#neighbourhood.remove(local);
    this.#writeGone(local, local.connection ?? local.heir, why);
  }

  #writeGone(local: LocalPeer, connection: number | undefined, why: LineEnd): void {
    if (connection === undefined) return;
    // whoever fails to write it has told so
    this.#writes.add({ of: "gone", local, connection, why }).catch(() => {});
  }

  /** The database has a peer, unless one with the same id came later. */
  #onJoined(local: LocalPeer, joined: Joined | undefined): void {
    const connection = joined?.connection;
    const current = this.#locals.get(local.id);
    if (current === local) {
      if (joined === undefined || local.rival > joined.connection) {
        this.#overwrite(local);
        return;
      }
      const isNew = local.connection === undefined;
      local.joined(joined.connection);
      if (isNew) this.#reader.arrive(local, joined.partners);
    } else if (current === undefined) this.#writeGone(local, connection, local.end ?? "lost");
    else current.heir ??= connection;
  }

  #onConnection(id: string, connection: number): void {
    const local = this.#locals.get(id);
    if (local === undefined) return;
    local.rival = Math.max(local.rival, connection);
    if (local.connection !== undefined && local.rival > local.connection) this.#overwrite(local);
  }

  /** Writes a batch, as often as it takes. */
  async #send(batch: WriteBatch): Promise<void> {
    const id = this.#id;
    let isUnknown = false;
    for (let attempt = 1; ; ) {
      await this.#writer.connected();
      if (this.#id !== id || this.#closed !== undefined) return batch.abandon();
      try {
        if (isUnknown) await this.#sayHere(id);
        return batch.done(await this.#writer.query<WriteRow>({ ...write, values: batch.values(id) }));
      } catch (error) {
        const code = codeOf(error);
        // then the database does not know this coordinator any more
        isUnknown = code === foreignKeyViolation;
        if (code !== undefined && !isUnknown && !passing.has(code)) throw error;
        if (++attempt > maxAttempts) throw error;
      }
    }
  }

  #refuse(error: unknown): never {
    const text = "PostgreSQL has refused what tailnet peers said";
    report(this.#options.onProblem, new Error(`${text}: ${messageOf(error)}`));
    throw error;
  }

  /** Says that it is there, on the next connection when one is lost, and until what it says is heard. */
  async #beat(): Promise<number> {
    for (;;) {
      await this.#writer.connected();
      const startedAt = performance.now();
      try {
        const id = this.#id;
        await this.#sayHere(id);
        await this.#reader.probe();
        // meanwhile it may have taken too long
        if (this.#id === id) return startedAt;
      } catch (error) {
        if (this.#closed !== undefined || isRefusal(error)) throw error;
      }
    }
  }

  async #sayHere(id: string): Promise<void> {
    if (this.#formerId !== undefined) {
      await this.#writer.query({ text: leave("lost"), values: [this.#formerId] });
      this.#formerId = undefined;
    }
    const values = [id, this.#options.expiryMs];
    const [row] = await this.#writer.query<{ isNew: boolean }>({ ...beat, values });
    if (this.#id !== id) return;
    if (row?.isNew === true && this.#isKnown) this.#restore();
    this.#isKnown = true;
  }

  /** The database has lost what it knew, or has taken this coordinator for gone. */
  #restore(): void {
    const text = "PostgreSQL had forgotten the tailnet peers of this process: they are written anew";
    report(this.#options.onProblem, new Error(text));
    for (const local of this.#locals.values()) {
      if (local.connection === undefined) continue;
      const writes = [this.#writeJoin(local)];
      if (local.opened.size > 0)
        writes.push(this.#writes.add({ of: "open", local, dsts: [...local.opened] }));
      Promise.all(writes).catch((error) => local.line.close(messageOf(error)));
    }
    clearTimeout(this.#isRestoring);
    this.#isRestoring = setTimeout(() => {
      this.#isRestoring = undefined;
      this.#reader.readAll();
    }, this.#options.expiryMs);
    this.#isRestoring.unref();
  }

  async #isWhole(client: Client): Promise<boolean> {
    const query = client.query<{ isKnown: boolean }>({ ...isKnown, values: [this.#id] });
    const { rows } = await within(query, this.#options.timeoutMs, "an answer");
    return this.#isRestoring === undefined && rows[0]?.isKnown === true;
  }

  /** Others take its peers for lost by now. S4.25. */
  #sendHome(): void {
    const text = `PostgreSQL has not answered for ${this.#options.expiryMs} ms, so all tailnet peers are sent away`;
    report(this.#options.onProblem, new Error(text));
    this.#formerId = this.#id;
    this.#id = randomUUID();
    this.#isKnown = false;
    this.#neighbourhood.clear();
    this.#endAll(unhealthy);
  }

  #endAll(error: string): void {
    const locals = [...this.#locals.values()];
    this.#locals.clear();
    for (const { line } of locals) line.close(error);
    this.#neighbourhood.clear();
    this.#writes.clear();
    this.#writer.wake();
  }
}

const foreignKeyViolation = "23503";

/** Deadlocks, conflicts and time-outs: the next attempt may do. */
const passing: ReadonlySet<string> = new Set(["40P01", "40001", "55P03", "57014"]);

/** What the server refused it with; undefined when it was the connection that failed. */
function codeOf(error: unknown): string | undefined {
  return isRefusal(error) ? String((error as { code?: unknown }).code) : undefined;
}
