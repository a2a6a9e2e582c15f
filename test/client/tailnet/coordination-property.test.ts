import { getEventListeners } from "node:events";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, it } from "vitest";
import { Coordination, PeerUpdateKind, type TailnetPeers } from "../../../src/client/index-node.js";
import type { TailnetClient } from "../../../src/client/tailnet/shared-fate.js";
import {
  type CoordinateRequestSchema,
  type CoordinateResponse,
  CoordinateResponseSchema,
} from "../../../src/gen/coder/tailnet/v2/tailnet_pb.js";
import { runs } from "../../support/scale.js";
import { settle } from "../../support/scripted-connection.js";
import { hex, Script } from "./tailnet-server.js";

type Request = MessageInitShape<typeof CoordinateRequestSchema>;

const uuid = (n: number) => `00000000-0000-4000-8000-00000000000${n}`;
const bytes = (n: number) => Buffer.from(uuid(n).replaceAll("-", ""), "hex");
const numberOf = (id: Uint8Array | undefined) => Number(hex(id ?? new Uint8Array()).slice(-1));

/** One Coordinate call, whose other side is the test. It reads no more than it is allowed to. */
class FakeCall {
  readonly requests: Request[] = [];
  readonly responses = new Script<CoordinateResponse>();
  isOver = false;
  #allowed = 0;
  #wake: () => void = () => {};

  constructor(requests: AsyncIterable<Request>, signal: AbortSignal) {
    signal.addEventListener("abort", () => this.end(signal.reason), { once: true });
    void this.#read(requests[Symbol.asyncIterator]());
  }

  allow(count: number): void {
    this.#allowed += count;
    this.#wake();
  }

  /** The stream is over, whether or not the other side listens. */
  end(error?: Error): void {
    this.responses.end(error);
    this.isOver = true;
    this.#wake();
  }

  async *answers() {
    try {
      yield* this.responses;
    } finally {
      this.isOver = true;
      this.#wake();
    }
  }

  async #read(requests: AsyncIterator<Request>): Promise<void> {
    for (;;) {
      while (this.#allowed === 0 && !this.isOver) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      if (this.isOver) return void requests.return?.();
      const { done, value } = await requests.next();
      if (done) return;
      this.#allowed--;
      this.requests.push(value);
      if (value.disconnect !== undefined) this.responses.end();
    }
  }
}

/** Runs a coordination over one fake call after the other. */
function harness(coordination: Coordination) {
  const calls: FakeCall[] = [];
  const abort = new AbortController();
  const tailnet = {
    coordinate: (requests: AsyncIterable<Request>, { signal }: { signal: AbortSignal }) => {
      const call = new FakeCall(requests, signal);
      calls.push(call);
      return call.answers();
    },
  } as unknown as TailnetClient;
  let failures = 0;
  let isClosed = false;
  const loop = (async () => {
    while (!isClosed) await coordination.over(tailnet, abort.signal).catch(() => failures++);
  })();
  const present = () => {
    const call = calls.at(-1);
    if (call === undefined) throw new Error("no call yet");
    return call;
  };
  const close = async () => {
    isClosed = true;
    present().allow(1000);
    await coordination.close();
    await loop;
    return getEventListeners(abort.signal, "abort").length;
  };
  return { calls, present, close, failures: () => failures };
}

/** What a server knows after all that it was told on one call. */
function told(requests: readonly Request[]) {
  let node: bigint | undefined;
  const tunnels = new Set<number>();
  for (const { updateSelf, addTunnel, removeTunnel } of requests) {
    if (updateSelf !== undefined) node = updateSelf.node?.id;
    if (addTunnel !== undefined) {
      expect(tunnels.has(numberOf(addTunnel.id)), "no tunnel is added twice").toBe(false);
      tunnels.add(numberOf(addTunnel.id));
    }
    if (removeTunnel !== undefined) expect(tunnels.delete(numberOf(removeTunnel.id))).toBe(true);
  }
  return { node, tunnels };
}

/** What a reader of one peer has to know, from all that has happened to it. */
class PeerModel {
  node: bigint | undefined;
  isLost = false;
  isReady = false;
  isWanted = false;

  hear(kind: PeerUpdateKind, node: bigint): void {
    if (kind === PeerUpdateKind.NODE) {
      [this.node, this.isLost] = [node, false];
    } else if (kind === PeerUpdateKind.READY_FOR_HANDSHAKE) {
      const isThere = this.node !== undefined && !this.isLost;
      if (isThere || this.isWanted) this.isReady = true;
    } else if (kind === PeerUpdateKind.LOST) this.lose();
    else [this.node, this.isLost, this.isReady] = [undefined, false, false];
  }

  lose(): void {
    this.isReady = false;
    if (this.node !== undefined) this.isLost = true;
    if (!this.isWanted) this.forgetLost();
  }

  unwant(): void {
    this.isWanted = false;
    this.forgetLost();
    if (this.node === undefined) this.isReady = false;
  }

  forgetLost(): void {
    if (!this.isLost) return;
    [this.node, this.isLost, this.isReady] = [undefined, false, false];
  }

  get text(): string | undefined {
    if (this.node === undefined) return undefined;
    if (this.isLost) return `${this.node} lost`;
    return `${this.node} connected${this.isReady ? " ready" : ""}`;
  }
}

const peerNumber = fc.integer({ min: 0, max: 2 });
const kind = fc.constantFrom(1, 1, 2, 3, 4);
const updates = fc.array(fc.tuple(peerNumber, kind), { minLength: 1, maxLength: 4 });
const clientStep = fc.oneof(
  fc.record({ do: fc.constant("node" as const) }),
  fc.record({ do: fc.constant("add" as const), peer: peerNumber }),
  fc.record({ do: fc.constant("remove" as const), peer: peerNumber }),
  fc.record({ do: fc.constant("sync" as const), peers: fc.uniqueArray(peerNumber) }),
  fc.record({ do: fc.constant("cut" as const) }),
  fc.record({ do: fc.constant("allow" as const), count: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ do: fc.constant("hear" as const), updates }),
);

async function peersOf(coordination: Coordination): Promise<TailnetPeers> {
  for await (const peers of coordination.peers()) return peers;
  throw new Error("the peers have ended");
}

const textOf = (peers: TailnetPeers) =>
  Object.fromEntries(
    [...peers].map(([id, { node, status, isReady }]) => [
      Number(id.slice(-1)),
      `${node.id} ${status}${isReady ? " ready" : ""}`,
    ]),
  );

it("whatever happens, the server is told what is wanted, and peers are what it told (C9.1–C9.6)", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(clientStep, { maxLength: 50, size: "max" }), async (story) => {
      const coordination = new Coordination();
      const { calls, present, close, failures } = harness(coordination);
      const model = new Map([0, 1, 2].map((n) => [n, new PeerModel()]));
      const modelOf = (n: number) => model.get(n) ?? new PeerModel();
      let lastNode: bigint | undefined;
      let count = 0n;
      let cuts = 0;
      const want = (n: number, isWanted: boolean) => {
        if (isWanted) modelOf(n).isWanted = true;
        else if (modelOf(n).isWanted) modelOf(n).unwant();
      };
      await settle(1);
      for (const step of story) {
        if (step.do === "node") {
          lastNode = ++count;
          coordination.setNode({ id: lastNode });
        } else if (step.do === "add") {
          want(step.peer, true);
          coordination.addTunnel(uuid(step.peer));
        } else if (step.do === "remove") {
          want(step.peer, false);
          coordination.removeTunnel(uuid(step.peer));
        } else if (step.do === "sync") {
          for (const n of model.keys()) want(n, step.peers.includes(n));
          coordination.syncTunnels(step.peers.map(uuid));
        } else if (step.do === "allow") present().allow(step.count);
        else if (step.do === "cut") {
          cuts++;
          for (const peer of model.values()) peer.lose();
          present().end(new Error("cut"));
        } else {
          const peerUpdates = step.updates.map(([n, kind]) => {
            count++;
            modelOf(n).hear(kind, count);
            return { id: bytes(n), kind, ...(kind === PeerUpdateKind.NODE && { node: { id: count } }) };
          });
          present().responses.say(create(CoordinateResponseSchema, { peerUpdates }));
        }
        await settle(2);
      }
      const wanted = [...model].filter(([, { isWanted }]) => isWanted).map(([n]) => n);
      const texts = [...model].flatMap(([n, { text }]) => (text === undefined ? [] : [[n, text]]));
      expect(textOf(await peersOf(coordination))).toEqual(Object.fromEntries(texts));
      present().allow(1000);
      await settle(2);
      const known = told(present().requests);
      expect(known.node).toBe(lastNode);
      expect([...known.tunnels].sort()).toEqual(wanted);
      expect(calls).toHaveLength(cuts + 1);
      expect(failures()).toBe(cuts);
      expect(await close()).toBe(0);
      expect(present().requests.at(-1)?.disconnect).toBeDefined();
      expect(calls.every(({ isOver }) => isOver)).toBe(true);
    }),
    runs(200),
  );
});

it("whatever an agent hears, it says once for each answer whose nodes it has (C9.5)", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(updates, fc.constant("cut" as const)), { maxLength: 30 }),
      async (story) => {
        const coordination = new Coordination({ acknowledge: true });
        const { calls, present, close } = harness(coordination);
        const expected: number[][][] = [[]];
        await settle(1);
        for (const step of story) {
          if (step === "cut") {
            // what the agent has to say before is said
            present().allow(1000);
            await settle(2);
            present().end();
            await settle(2);
            expected.push([]);
            continue;
          }
          const peerUpdates = step.map(([n, kind]) => ({ id: bytes(n), kind, node: { id: 1n } }));
          const nodesOf = new Set(step.filter(([, kind]) => kind === PeerUpdateKind.NODE).map(([n]) => n));
          if (nodesOf.size > 0) expected.at(-1)?.push([...nodesOf]);
          present().responses.say(create(CoordinateResponseSchema, { peerUpdates }));
        }
        present().allow(1000);
        await settle(3);
        const said = calls.map(({ requests }) =>
          requests.map(({ readyForHandshake }) => (readyForHandshake ?? []).map(({ id }) => numberOf(id))),
        );
        expect(said).toEqual(expected);
        expect(await close()).toBe(0);
      },
    ),
    runs(100),
  );
});

it("a stream that ends before an agent could say what it has is an end all the same", async () => {
  const coordination = new Coordination({ acknowledge: true });
  coordination.setNode({ id: 1n });
  const { calls, present, close } = harness(coordination);
  await settle(1);
  present().allow(1);
  await settle(1);
  const node = { id: bytes(1), kind: PeerUpdateKind.NODE, node: { id: 1n } };
  present().responses.say(create(CoordinateResponseSchema, { peerUpdates: [node] }));
  await settle(1);
  present().end(new Error("cut"));
  await settle(2);
  expect(calls).toHaveLength(2);
  await close();
});
