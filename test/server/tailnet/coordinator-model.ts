import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { expect } from "vitest";
import { runs } from "../../support/scale.js";
import type { MakeReplicas } from "./coordinator-compliance.js";
import { TestPeer } from "./test-peer.js";

/** What the random peers do. Peers and replicas are numbers. */
type Step =
  | { do: "join"; peer: number; replica: number; isReading: boolean; hasNode: boolean }
  | { do: "update"; peer: number; isSame: boolean }
  | { do: "addTunnel" | "removeTunnel" | "ready"; peer: number; to: number }
  | { do: "disconnect" | "vanish" | "read"; peer: number };

/** How the model is held against an implementation. */
export interface ModelOptions {
  /** Resolves when no more messages are on their way. */
  settle(): Promise<void>;
  /** Whether all that peers know is compared after every step, and not only at the end. True by default. */
  isStepwise?: boolean;
  /** Random runs, before `AGENTWIRE_TEST_SCALE`. 100 by default. */
  numRuns?: number;
  /** Steps of the longest run; 60 by default. */
  maxSteps?: number;
}

const ids = 6;
const peer = fc.nat({ max: ids - 1 });

function step(maxReplica: number): fc.Arbitrary<Step> {
  const replica = fc.nat({ max: maxReplica });
  // of eight that join one does not read
  const isReading = fc.nat({ max: 7 }).map((n) => n > 0);
  return fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant("join" as const),
        peer,
        replica,
        isReading,
        hasNode: fc.boolean(),
      }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant("update" as const), peer, isSame: fc.boolean() }) },
    { weight: 5, arbitrary: fc.record({ do: fc.constant("addTunnel" as const), peer, to: peer }) },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constantFrom("removeTunnel" as const, "ready" as const),
        peer,
        to: peer,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constantFrom("disconnect" as const, "vanish" as const, "read" as const),
        peer,
      }),
    },
  );
}

/** Who is connected, as it should be. */
interface ModelPeer {
  real: TestPeer;
  node: bigint | undefined;
  isReading: boolean;
}

/** Peers, their tunnels and nodes in the simplest words: what each may know follows from them. */
class Model {
  readonly ids = Array.from({ length: ids }, () => randomUUID() as string);
  readonly peers = new Map<number, ModelPeer>();
  /** `source>destination`. */
  readonly tunnels = new Set<string>();
  /** Pairs that have shared a tunnel since the last comparison. */
  readonly shared = new Set<string>();
  /** Pairs that have ever shared one. */
  readonly everShared = new Set<string>();
  #nodes = 0n;

  newNode(): bigint {
    return ++this.#nodes;
  }

  leave(peer: number): void {
    this.peers.delete(peer);
    for (const tunnel of this.tunnels) if (tunnel.startsWith(`${peer}>`)) this.tunnels.delete(tunnel);
  }

  share(a: number, b: number): boolean {
    return a !== b && (this.tunnels.has(`${a}>${b}`) || this.tunnels.has(`${b}>${a}`));
  }

  /** Takes note of who may be told of whom from now on. */
  noteShared(): void {
    for (const tunnel of this.tunnels) {
      const [a, b] = tunnel.split(">").map(Number) as [number, number];
      for (const pair of [`${a}>${b}`, `${b}>${a}`]) {
        this.shared.add(pair);
        this.everShared.add(pair);
      }
    }
  }

  /** Nodes that a peer knows. @param except a peer that nothing is said of. */
  known(of: number, except: (peer: number) => boolean): Map<string, bigint> {
    const known = new Map<string, bigint>();
    for (const [other, { node }] of this.peers) {
      if (node !== undefined && this.share(of, other) && !except(other))
        known.set(this.ids[other] ?? "", node);
    }
    return known;
  }
}

/**
 * Random peers join, update, tunnel, leave, vanish, come again with the same id, and read slowly or not at all. What
 * each knows in the end is what the model says, and nobody is ever told of one without a tunnel, or anything twice.
 */
export async function coordinatorModel(make: MakeReplicas, options: ModelOptions): Promise<void> {
  const { numRuns = 100, maxSteps = 60 } = options;
  const property = fc.asyncProperty(
    fc.array(step(3), { maxLength: maxSteps, size: "max" }),
    async (steps) => {
      // so small that one who does not read is cut off soon
      const made = await make({ maxQueuedResponses: 6 });
      try {
        await new Run(made.replicas, options).all(steps);
      } finally {
        await made.close();
      }
    },
  );
  await fc.assert(property, runs(numRuns));
}

class Run {
  readonly #replicas: Awaited<ReturnType<MakeReplicas>>["replicas"];
  readonly #options: ModelOptions;
  readonly #model = new Model();
  /** All that ever were, to look at what they were told. */
  readonly #all: { peer: number; real: TestPeer; seen: number }[] = [];

  constructor(replicas: Awaited<ReturnType<MakeReplicas>>["replicas"], options: ModelOptions) {
    this.#replicas = replicas;
    this.#options = options;
  }

  async all(steps: readonly Step[]): Promise<void> {
    const { isStepwise = true, settle } = this.#options;
    for (const step of steps) {
      await this.#take(step);
      this.#model.noteShared();
      if (!isStepwise) continue;
      await settle();
      this.#compare();
      // from here on only those count that share a tunnel now, or by the next step
      this.#model.shared.clear();
      this.#model.noteShared();
    }
    await this.#wakeAll();
    this.#compare();
    await this.#everybodyLeaves();
  }

  async #take(step: Step): Promise<void> {
    const model = this.#model;
    if (step.do === "join") return this.#join(step);
    const mine = model.peers.get(step.peer);
    if (mine === undefined) return;
    const { real } = mine;
    if (step.do === "read") {
      await this.#read(step.peer, mine);
      return;
    }
    // one that does not read says nothing either: it may have been cut off already
    if (!mine.isReading) return;
    if (step.do === "update") {
      if (!step.isSame) mine.node = model.newNode();
      if (mine.node !== undefined) void real.update(mine.node);
    } else if (step.do === "disconnect") {
      void real.disconnect();
      await real.ended();
      model.leave(step.peer);
    } else if (step.do === "vanish") {
      real.coordination.end();
      await real.ended();
      model.leave(step.peer);
    } else if ("to" in step) {
      const tunnel = `${step.peer}>${step.to}`;
      const to = { id: model.ids[step.to] ?? "" };
      if (step.do === "addTunnel") {
        void real.addTunnel(to);
        if (step.peer !== step.to) model.tunnels.add(tunnel);
      } else if (step.do === "removeTunnel") {
        void real.removeTunnel(to);
        model.tunnels.delete(tunnel);
      } else void real.ready(to);
    }
    // what is said is handled before anything else happens, so that the order is the model's
    if (!real.isOver) await real.handled();
  }

  /** Also with an id that is connected; such a one tells its node at once, as peers do. S4.24. */
  async #join(step: Extract<Step, { do: "join" }>): Promise<void> {
    const model = this.#model;
    const before = model.peers.get(step.peer);
    if (before !== undefined) await this.#read(step.peer, before);
    const isAgain = model.peers.has(step.peer);
    if (!step.isReading && !isAgain) return this.#joinStalled(step);
    const real = this.#connect(step, true);
    const node = step.hasNode || isAgain ? model.newNode() : undefined;
    if (node !== undefined) void real.update(node);
    await real.handled();
    model.peers.set(step.peer, { real, node, isReading: true });
    if (!isAgain) return;
    await before?.real.ended();
    expect(before?.real.errors.at(-1)).toBe("peer ID overwritten by new connection");
  }

  /** One that tells its node, opens a tunnel to its neighbour, and reads nothing for a time. */
  async #joinStalled(step: Extract<Step, { do: "join" }>): Promise<void> {
    const model = this.#model;
    const real = this.#connect(step, false);
    const node = model.newNode();
    void real.update(node);
    const neighbour = (step.peer + 1) % ids;
    void real.addTunnel({ id: model.ids[neighbour] ?? "" });
    model.tunnels.add(`${step.peer}>${neighbour}`);
    model.peers.set(step.peer, { real, node, isReading: false });
    await this.#options.settle();
  }

  #connect({ peer, replica }: Extract<Step, { do: "join" }>, isReading: boolean): TestPeer {
    const on = this.#replicas[replica % this.#replicas.length];
    if (on === undefined) throw new Error("there is no replica");
    const real = new TestPeer(on, { id: this.#model.ids[peer] ?? "", isReading });
    this.#all.push({ peer, real, seen: 0 });
    return real;
  }

  /** One that has not read does; if it has been cut off meanwhile, it has left. */
  async #read(peer: number, mine: ModelPeer): Promise<void> {
    if (mine.isReading) return;
    mine.real.read();
    mine.isReading = true;
    await this.#options.settle();
    this.#checkNews(this.#model.everShared, ({ real }) => real === mine.real);
    if (!mine.real.isOver) return;
    expect(mine.real.errors).toEqual([expect.stringMatching(/^failed to /)]);
    this.#model.leave(peer);
  }

  async #wakeAll(): Promise<void> {
    for (const [peer, mine] of this.#model.peers) await this.#read(peer, mine);
    await this.#options.settle();
  }

  #compare(): void {
    const model = this.#model;
    const isStalled = (peer: number) => model.peers.get(peer)?.isReading === false;
    for (const [peer, { real, isReading }] of model.peers) {
      if (!isReading) continue;
      const known = new Map([...real.known].filter(([id]) => !isStalled(model.ids.indexOf(id))));
      expect(known, `peer ${peer}`).toEqual(model.known(peer, isStalled));
      expect(real.isOver, `peer ${peer} is over: ${real.errors}`).toBe(false);
    }
    this.#checkNews(model.shared);
  }

  /** @param shared pairs that could be told of each other since the news were looked at last. */
  #checkNews(shared: ReadonlySet<string>, which: (one: { real: TestPeer }) => boolean = () => true): void {
    for (const each of this.#all) {
      if (!which(each)) continue;
      expect(each.real.faults).toEqual([]);
      for (const { of } of each.real.news.slice(each.seen)) {
        const about = this.#model.ids.indexOf(of);
        if (!shared.has(`${each.peer}>${about}`)) {
          throw new Error(`peer ${each.peer} was told of ${about} without a tunnel`);
        }
      }
      each.seen = each.real.news.length;
    }
  }

  async #everybodyLeaves(): Promise<void> {
    for (const { real } of this.#model.peers.values()) {
      real.coordination.end();
      await real.ended();
    }
    await this.#options.settle();
    expect(this.#replicas.map(({ peerCount }) => peerCount)).toEqual(this.#replicas.map(() => 0));
  }
}
