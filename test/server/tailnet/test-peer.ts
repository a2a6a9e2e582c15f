import { randomUUID } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { formatUuid, parseUuid } from "../../../src/codec/index.js";
import {
  CoordinateRequestSchema,
  type CoordinateResponse,
  type NodeSchema,
  CoordinateResponse_PeerUpdate_Kind as PeerUpdateKind,
} from "../../../src/gen/coder/tailnet/v2/tailnet_pb.js";
import type { Coordination, Coordinator, Peer } from "../../../src/server/tailnet/coordinator.js";

/** One update, as tests compare it. */
export interface News {
  of: string;
  kind: string;
  /** The `id` of the node. */
  node?: bigint;
  reason: string;
}

/** The bytes of a UUID. */
export function idBytes(id: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(parseUuid(id) ?? []);
}

/** How a test's peer is made. */
export interface TestPeerOptions {
  id?: string;
  authorize?: Peer["authorize"];
  /** False for one that reads nothing until `read()`. */
  isReading?: boolean;
}

/** A peer of a test: says things, reads what it is told, and folds it into what it knows. */
export class TestPeer {
  readonly id: string;
  readonly coordination: Coordination;
  readonly responses: CoordinateResponse[] = [];
  readonly news: News[] = [];
  readonly errors: string[] = [];
  /** Nodes of others by their ids, as it knows them now. */
  readonly known = new Map<string, bigint>();
  /** What it was told and need not have been, or may not. */
  readonly faults: string[] = [];
  isOver = false;
  #heard: (() => void)[] = [];
  #isReading = false;

  constructor(coordinator: Coordinator, options: TestPeerOptions = {}) {
    const { id = randomUUID(), authorize = () => {}, isReading = true } = options;
    this.id = id;
    this.coordination = coordinator.coordinate({ id, name: `peer-${id.slice(0, 8)}`, authorize });
    if (isReading) this.read();
  }

  /** Begins to read. */
  read(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    // a stream over a connection may also fail
    void this.#read()
      .catch(() => {})
      .finally(() => {
        this.isOver = true;
        this.#wake();
      });
  }

  say(request: MessageInitShape<typeof CoordinateRequestSchema>): Promise<void> {
    return this.coordination.send(create(CoordinateRequestSchema, request));
  }

  update(id: bigint, node: MessageInitShape<typeof NodeSchema> = {}): Promise<void> {
    return this.say({ updateSelf: { node: { ...node, id } } });
  }

  addTunnel(to: { id: string }): Promise<void> {
    return this.say({ addTunnel: { id: idBytes(to.id) } });
  }

  removeTunnel(to: { id: string }): Promise<void> {
    return this.say({ removeTunnel: { id: idBytes(to.id) } });
  }

  ready(...others: { id: string }[]): Promise<void> {
    return this.say({ readyForHandshake: others.map(({ id }) => ({ id: idBytes(id) })) });
  }

  disconnect(): Promise<void> {
    return this.say({ disconnect: {} });
  }

  /** Waits until all that it has said is handled: the coordinator complains of what was said last. S4.19. */
  async handled(): Promise<void> {
    const stranger = randomUUID();
    await this.ready({ id: stranger });
    const isOf = (error: string) => error.includes(stranger);
    await this.until(() => this.isOver || this.errors.some(isOf), "the complaint");
    const at = this.errors.findIndex(isOf);
    if (at >= 0) this.errors.splice(at, 1);
  }

  /** Waits, as it hears more, until something holds. */
  async until(condition: () => boolean, what: string): Promise<void> {
    const giveUpAt = performance.now() + 10_000;
    while (!condition()) {
      const leftMs = giveUpAt - performance.now();
      if (leftMs <= 0) throw new Error(`${what}: not within 10 s; heard ${show(this.news)} ${this.errors}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#heard.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** Waits for so many news in all. */
  async heard(count: number): Promise<News[]> {
    await this.until(() => this.news.length >= count, `${count} news`);
    return this.news;
  }

  ended(): Promise<void> {
    return this.until(() => this.isOver, "the end of the stream");
  }

  async #read(): Promise<void> {
    for await (const response of this.coordination.responses) {
      this.responses.push(response);
      if (response.error !== "") this.errors.push(response.error);
      for (const { id, kind, node, reason } of response.peerUpdates) {
        this.#take({
          of: formatUuid(id) ?? "",
          kind: PeerUpdateKind[kind] ?? String(kind),
          reason,
          ...(node && { node: node.id }),
        });
      }
      this.#wake();
    }
  }

  #take(news: News): void {
    const { of, kind, node } = news;
    this.news.push(news);
    const before = this.known.get(of);
    if (kind === "NODE" && node !== undefined) {
      if (before === node) this.faults.push(`told twice of ${of}, node ${node}`);
      this.known.set(of, node);
    } else if (kind === "LOST" || kind === "DISCONNECTED") {
      if (before === undefined) this.faults.push(`told that ${of} is gone, which it never knew`);
      if (node !== undefined) this.faults.push(`told of ${of} with a node as it went`);
      this.known.delete(of);
    }
  }

  #wake(): void {
    const heard = this.#heard;
    this.#heard = [];
    for (const wake of heard) wake();
  }
}

function show(news: readonly News[]): string {
  return news
    .map(({ of, kind, node, reason }) => `${of.slice(0, 8)} ${kind} ${node ?? ""} ${reason}`)
    .join("; ");
}
