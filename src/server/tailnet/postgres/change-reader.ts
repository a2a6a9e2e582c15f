import type { Client, QueryConfig, QueryResultRow } from "pg";
import { PostgresConnection } from "../../engines/postgres-connection.js";
import { messageOf, report } from "../../engines/problems.js";
import { within } from "../../engines/waits.js";
import { Facts } from "./facts.js";
import type { LocalPeer } from "./local-peer.js";
import type { Neighbourhood } from "./neighbourhood.js";
import { channel, type Notice, noticesOf } from "./notices.js";
import type { ResolvedOptions } from "./options.js";
import { type PeerRow, readPeers, readTunnels, type TunnelRow } from "./statements.js";
import { makeTables } from "./tables.js";

/** What a reader is told of, and asks. */
export interface ReaderHost {
  readonly neighbourhood: Neighbourhood;
  /** A peer with this id, here or elsewhere, has a connection with this number. */
  onConnection(id: string, connection: number): void;
  /** The peers of this process that the database has. */
  joinedPeers(): LocalPeer[];
  /** False when what the database does not have may only be not there yet. */
  isWhole(client: Client): Promise<boolean>;
}

/** Something to take note of: a notice, or that a peer of this process has come. */
type Change = Notice | { of: "arrival"; local: LocalPeer; partners: ReadonlySet<string> };

/** More are forgotten, and everything is read instead. */
const maxWaitingChanges = 50_000;
const maxChangesAtOnce = 2000;
const maxPeersAtOnce = 500;

/**
 * Hears what changes, on a connection of its own, and reads on it how things are then: what waits goes in one read.
 * Whenever notices may have been missed, it reads all that concerns the peers of this process.
 */
export class ChangeReader {
  readonly #host: ReaderHost;
  readonly #options: ResolvedOptions;
  readonly #connection: PostgresConnection;
  #waiting: Change[] = [];
  /** Something was missed. */
  #isBehind = false;
  #isReading = false;
  #hasBeenOpen = false;

  constructor(createClient: () => Client, host: ReaderHost, options: ResolvedOptions) {
    this.#host = host;
    this.#options = options;
    this.#connection = new PostgresConnection(
      {
        name: "hearing of tailnet peers",
        createClient,
        onOpen: (client) => this.#begin(client),
        onLost: () => this.#forget(),
      },
      options,
    );
  }

  open(): Promise<void> {
    return this.#connection.open();
  }

  close(): Promise<void> {
    this.#waiting = [];
    return this.#connection.close();
  }

  /** Resolves when there is a connection that answers. @throws Error when it is lost meanwhile. */
  async probe(): Promise<void> {
    await this.#connection.settled();
    const { client } = this.#connection;
    if (client === undefined) throw new Error("there is no connection to hear of changes");
    try {
      await within(client.query("select 1"), this.#options.timeoutMs, "an answer");
    } catch (error) {
      this.#connection.lose(client, error);
      throw error;
    }
  }

  /** A peer of this process has come: it is told of the partners that it had by then. S4.22. */
  arrive(local: LocalPeer, partners: ReadonlySet<string>): void {
    this.#add({ of: "arrival", local, partners });
  }

  /** Reads all anew. */
  readAll(): void {
    this.#forget();
    void this.#read();
  }

  #forget(): void {
    this.#waiting = [];
    this.#isBehind = true;
  }

  /** What happened without a connection is not known: so all is read before it counts as open. */
  async #begin(client: Client): Promise<void> {
    const answer = (query: Promise<unknown>) => within(query, this.#options.timeoutMs, "an answer");
    await answer(makeTables(client));
    client.on("notification", ({ payload }) => this.#hear(payload ?? ""));
    await answer(client.query(`listen ${channel}`));
    if (this.#hasBeenOpen) {
      this.#isBehind = false;
      await this.#compareAll(client);
    }
    this.#hasBeenOpen = true;
    // by then the connection is open
    setImmediate(() => void this.#read());
  }

  #hear(payload: string): void {
    try {
      for (const notice of noticesOf(payload)) {
        if (notice.of === "join") this.#host.onConnection(notice.id, notice.connection);
        this.#add(notice);
      }
    } catch (error) {
      report(this.#options.onProblem, new Error(messageOf(error)));
      this.readAll();
    }
  }

  #add(change: Change): void {
    if (this.#isBehind) return;
    if (this.#waiting.length >= maxWaitingChanges) this.#forget();
    else this.#waiting.push(change);
    // what comes in one turn is read in one go
    if (!this.#isReading) setImmediate(() => void this.#read());
  }

  async #read(): Promise<void> {
    const { client } = this.#connection;
    if (client === undefined || this.#isReading) return;
    this.#isReading = true;
    try {
      while (this.#connection.client === client && (this.#isBehind || this.#waiting.length > 0)) {
        if (this.#isBehind) {
          this.#isBehind = false;
          await this.#compareAll(client);
        } else await this.#takeSome(client);
      }
    } catch (error) {
      this.#connection.lose(client, error);
    } finally {
      this.#isReading = false;
    }
    // what has come on a connection that was made meanwhile
    if (this.#connection.client !== client) void this.#read();
  }

  async #takeSome(client: Client): Promise<void> {
    const changes = this.#waiting.splice(0, maxChangesAtOnce);
    const facts = await this.#factsOf(client, changes);
    if (this.#connection.client !== client) return;
    const { neighbourhood } = this.#host;
    for (const change of changes) {
      try {
        if (change.of === "arrival") neighbourhood.begin(change.local, facts, change.partners);
        else neighbourhood.apply(change, facts);
      } catch (error) {
        report(this.#options.onProblem, new Error(`A tailnet peer cannot be read: ${messageOf(error)}`));
      }
    }
    neighbourhood.tellAll();
  }

  async #factsOf(client: Client, changes: readonly Change[]): Promise<Facts> {
    const { neighbourhood } = this.#host;
    const [srcs, dsts, arrived, ids] = [[] as string[], [] as string[], [] as string[], new Set<string>()];
    for (const change of changes) {
      if (change.of === "arrival") arrived.push(change.local.id);
      if (change.of === "node" && neighbourhood.follows(change.id)) ids.add(change.id);
      if (change.of === "tunnel" && (neighbourhood.has(change.src) || neighbourhood.has(change.dst))) {
        srcs.push(change.src);
        dsts.push(change.dst);
      }
    }
    const facts = new Facts();
    if (srcs.length > 0 || arrived.length > 0) {
      const values = [srcs, dsts, arrived];
      facts.addTunnels(await this.#query<TunnelRow>(client, { ...readTunnels, values }));
    }
    for (const id of facts.ends) ids.add(id);
    await this.#readPeers(client, ids, facts);
    return facts;
  }

  /** Compares all peers of this process with what the database says. */
  async #compareAll(client: Client): Promise<void> {
    const { neighbourhood } = this.#host;
    const isWhole = await this.#host.isWhole(client);
    const joined = this.#host.joinedPeers();
    for (let at = 0; at < joined.length; at += maxPeersAtOnce) {
      const locals = joined.slice(at, at + maxPeersAtOnce);
      const facts = new Facts();
      const ids = locals.map(({ id }) => id);
      const values = [[], [], ids];
      facts.addTunnels(await this.#query<TunnelRow>(client, { ...readTunnels, values }));
      const partners = neighbourhood.partnersOf(locals);
      await this.#readPeers(client, new Set([...ids, ...facts.ends, ...partners]), facts);
      for (const local of locals) {
        const connection = facts.peers.get(local.id)?.connection;
        if (connection !== undefined) this.#host.onConnection(local.id, connection);
        neighbourhood.compare(local, facts, isWhole);
      }
      neighbourhood.tellAll();
    }
  }

  async #readPeers(client: Client, ids: ReadonlySet<string>, facts: Facts): Promise<void> {
    const all = [...ids];
    for (let at = 0; at < all.length; at += maxPeersAtOnce) {
      const values = [all.slice(at, at + maxPeersAtOnce)];
      facts.addPeers(await this.#query<PeerRow>(client, { ...readPeers, values }));
    }
  }

  async #query<Row extends QueryResultRow>(client: Client, query: QueryConfig): Promise<Row[]> {
    const { rows } = await within(client.query<Row>(query), this.#options.timeoutMs, "an answer");
    return rows;
  }
}
