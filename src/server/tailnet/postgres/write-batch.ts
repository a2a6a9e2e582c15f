import { type Notice, payloadsOf } from "./notices.js";
import type { WriteRow } from "./statements.js";
import type { QueuedWrite, Write } from "./write-queue.js";

const maxWrites = 500;
const maxBytes = 1024 * 1024;
const maxTunnels = 5000;

/** Writes that go in one statement. */
export class WriteBatch {
  readonly writes: QueuedWrite[] = [];
  readonly #ids = new Set<string>();
  #nodeBytes = 0;
  #tunnels = 0;
  #isFull = false;

  get length(): number {
    return this.writes.length;
  }

  /** Takes a write, unless there is no room for it, or one of the same peer before it. */
  takes(queued: QueuedWrite): boolean {
    const { write } = queued;
    const { id, node } = write.local;
    if (this.#isFull || this.#ids.has(id)) return false;
    this.#ids.add(id);
    this.writes.push(queued);
    if (write.of === "node" || write.of === "join") this.#nodeBytes += node?.length ?? 0;
    if (write.of === "open") this.#tunnels += write.dsts.length;
    this.#isFull = this.length >= maxWrites || this.#nodeBytes >= maxBytes || this.#tunnels >= maxTunnels;
    return true;
  }

  /** The values of the statement. */
  values(coordinatorId: string): unknown[] {
    const of = <Of extends Write["of"]>(kind: Of) =>
      this.writes.flatMap(({ write }) => (isOf(write, kind) ? [write] : []));
    const [joins, nodes, removed, gone, ready] = [
      of("join"),
      of("node"),
      of("remove"),
      of("gone"),
      of("ready"),
    ];
    const opened = of("open").flatMap(({ local, dsts }) => dsts.map((dst) => ({ local, dst })));
    return [
      coordinatorId,
      joins.map(({ local }) => local.id),
      joins.map(({ local }) => local.connection ?? null),
      joins.map(({ local }) => bufferOf(local.node)),
      nodes.map(({ local }) => local.id),
      nodes.map(({ local }) => local.connection ?? null),
      nodes.map(({ local }) => bufferOf(local.node)),
      opened.map(({ local }) => local.id),
      opened.map(({ local }) => local.connection ?? null),
      opened.map(({ dst }) => dst),
      removed.map(({ local }) => local.id),
      removed.map(({ local }) => local.connection ?? null),
      removed.map(({ dst }) => dst),
      gone.map(({ local }) => local.id),
      gone.map(({ connection }) => connection),
      gone.map(({ why }) => why),
      ready.map(({ local }) => local.id),
      ready.map(({ to }) => to),
      payloadsOf(this.writes.flatMap(({ write }) => noticesOfWrite(write))),
    ];
  }

  /** Nothing of it need be written. */
  abandon(): void {
    for (const { resolve } of this.writes) resolve(true);
  }

  /** It is written. */
  done(rows: readonly WriteRow[]): void {
    const joined = new Map<string, { connection: number; partners: Set<string> }>();
    const shared = new Set<string>();
    for (const { result, id, connection } of rows) {
      if (result === "joined") joined.set(id, { connection: Number(connection), partners: new Set() });
      if (result === "shared") shared.add(id);
    }
    for (const { result, id, partner } of rows) {
      if (result === "initial") joined.get(id)?.partners.add(partner);
    }
    for (const { write, resolve } of this.writes) {
      if (write.of === "join") write.onJoined(joined.get(write.local.id));
      resolve(write.of !== "ready" || shared.has(write.local.id));
    }
  }
}

function isOf<Of extends Write["of"]>(write: Write, of: Of): write is Extract<Write, { of: Of }> {
  return write.of === of;
}

/** Those of what comes and of what ends are made by the database, which knows whether it did. */
function noticesOfWrite(write: Write): Notice[] {
  const { id, node } = write.local;
  switch (write.of) {
    case "join":
      return node === undefined ? [] : [{ of: "node", id }];
    case "node":
      return [{ of: "node", id }];
    case "open":
      return write.dsts.map((dst) => ({ of: "tunnel", src: id, dst }));
    case "remove":
    case "gone":
      return [];
    case "ready":
      return [{ of: "ready", from: id, to: write.to }];
  }
}

function bufferOf(bytes: Uint8Array | undefined): Buffer | null {
  return bytes === undefined ? null : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
