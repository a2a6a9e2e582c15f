import { onTestFinished } from "vitest";
import { eventually } from "../../support/control-plane.js";
import type { Facts, GoPeer } from "../../support/go-peer.js";

/** The latest that a Go program was told of a peer. */
export interface KnownPeer {
  id: string;
  kind: "NODE" | "DISCONNECTED" | "LOST" | "READY_FOR_HANDSHAKE";
  node?: Facts;
  reason?: string;
}

/** What a Go program has seen of the tailnet service. */
export interface Followed {
  sessions: number;
  isConnected: boolean;
  /** Why its sessions have ended so far. */
  ends: string[];
  known: KnownPeer[];
  updates: KnownPeer[];
  errors: string[];
  maps: Facts[];
}

/** A Go program that coordinates as agents and users' programs do, and dials again when that ends. */
export class GoFollower {
  readonly #peer: GoPeer;
  readonly #handle: number;

  private constructor(peer: GoPeer, handle: number) {
    this.#peer = peer;
    this.#handle = handle;
  }

  /** Starts it; it vanishes with the test. */
  static async start(peer: GoPeer, dial: Facts): Promise<GoFollower> {
    const follower = new GoFollower(peer, await peer.handle("follow", dial));
    onTestFinished(() => follower.vanish());
    await follower.until(({ sessions, ends }) => sessions + ends.length > 0, "it has dialled");
    return follower;
  }

  async state(): Promise<Followed> {
    return (await this.#peer.do("followed", { handle: this.#handle })) as unknown as Followed;
  }

  /** Waits for what it is to have seen; the error says what it has seen instead. */
  async until(holds: (state: Followed) => boolean, what: string): Promise<Followed> {
    let state = await this.state();
    await eventually(async () => {
      state = await this.state();
      return holds(state);
    }, what).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${JSON.stringify(state)}`);
    });
    return state;
  }

  /** Waits until it was last told this of a peer. */
  async knows(id: string, kind: KnownPeer["kind"], reason?: string): Promise<KnownPeer | undefined> {
    const found = ({ known }: Followed) =>
      known.find((each) => each.id === id && each.kind === kind && (reason ?? each.reason) === each.reason);
    return found(await this.until((state) => found(state) !== undefined, `${kind} ${reason ?? ""} of ${id}`));
  }

  /** Sends a CoordinateRequest. */
  async request(json: Facts): Promise<void> {
    await this.#peer.do("request", { handle: this.#handle, json });
  }

  /**
   * Sends one that is answered with the end of the stream. The program closes its session when it hears of that, which
   * may be before its own write has returned.
   */
  async requestTheEnd(json: Facts): Promise<void> {
    await this.request(json).catch((error: unknown) => {
      if (!String(error).includes("session shutdown")) throw error;
    });
  }

  /** Says Disconnect. @returns how the server has ended the stream. */
  async leave(): Promise<string> {
    return String((await this.#peer.do("leave", { handle: this.#handle, timeoutMs: 5000 }))["goodbye"]);
  }

  /** Goes without a word. */
  async vanish(): Promise<void> {
    await this.#peer.do("close", { handle: this.#handle });
  }
}
