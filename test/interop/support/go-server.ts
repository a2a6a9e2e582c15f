import { expect, onTestFinished } from "vitest";
import {
  type AgentConnection,
  dialAgent,
  type NodeDialOptions,
  type VersionChoice,
} from "../../../src/client/index-node.js";
import { eventually, token } from "../../support/control-plane.js";
import { type Facts, GoPeer } from "../../support/go-peer.js";
import { expectQuiet } from "./go-client.js";

/** A call as the Go server has seen it. */
export interface GoCallRecord {
  rpc: string;
  session: number;
  metadata?: Record<string, string>;
  /** An answered unary call may be `canceled`, where our client ended it before Go's send returned: W7.3. */
  outcome: "running" | "ok" | "canceled" | "error";
  error?: string;
  received: number;
  size?: number;
  sha256?: string;
  json?: unknown;
  requests?: { size: number; sha256: string; json?: unknown }[];
}

/** The agent API served by the Go libraries. */
export class GoServer {
  readonly peer: GoPeer;
  readonly handle: number;
  /** `ws://127.0.0.1:PORT` */
  readonly url: string;

  private constructor(peer: GoPeer, handle: number, url: string) {
    this.peer = peer;
    this.handle = handle;
    this.url = url;
  }

  /** Starts a server that ends with the test. */
  static async start(options: Facts = {}, peer: GoPeer = GoPeer.start()): Promise<GoServer> {
    const { handle, addr } = await peer.do("serve", { token, ...options });
    return new GoServer(peer, Number(handle), `ws://${addr}`);
  }

  /** Dials it with our client; the connection ends with the test. */
  async dial<V extends VersionChoice = "2.10">(
    options: Partial<NodeDialOptions<V>> = {},
  ): Promise<{ connection: AgentConnection; session: number }> {
    const before = this.sessions.length;
    const all = { url: this.url, token, version: "2.10", proxy: false, ...options } as NodeDialOptions;
    const connection = (await dialAgent(all)) as AgentConnection;
    onTestFinished(() => connection.close());
    await eventually(() => this.sessions.length > before, "the session is known");
    return { connection, session: Number(this.sessions.at(-1)?.["session"]) };
  }

  /** Dials that were let in, oldest first. */
  get sessions(): Facts[] {
    return this.#events("session");
  }

  /** Dials that were refused, oldest first. */
  get refused(): Facts[] {
    return this.#events("refused");
  }

  /**
   * Has an rpc behave in some way; null is the default again, for `*` everywhere.
   * @param behaviour as in the peer's README, but for `then`, which is `afterwards` here.
   */
  async script(rpc: string, behaviour: Facts | null): Promise<void> {
    const named = Object.entries(behaviour ?? {}).map(([name, value]) => [
      name === "afterwards" ? "then" : name,
      value,
    ]);
    const given = behaviour === null ? null : Object.fromEntries(named);
    await this.peer.do("script", { handle: this.handle, rpc, behaviour: given });
  }

  /** The calls that have come, of one rpc or of all. */
  async calls(rpc?: string): Promise<GoCallRecord[]> {
    const { calls } = await this.peer.do("calls", {
      handle: this.handle,
      ...(rpc === undefined ? {} : { rpc }),
    });
    return calls as GoCallRecord[];
  }

  /** The latest call of an rpc, once its handler has ended in some way. */
  async outcome(rpc: string): Promise<GoCallRecord> {
    let call: GoCallRecord | undefined;
    await eventually(async () => {
      call = (await this.calls(rpc)).at(-1);
      return call !== undefined && call.outcome !== "running";
    }, `the handler of ${rpc} ends`);
    return call as GoCallRecord;
  }

  /** Waits until a call has come in and its handler runs. */
  async running(rpc: string, count = 1): Promise<void> {
    await eventually(
      async () => (await this.calls(rpc)).filter(({ outcome }) => outcome === "running").length === count,
      `${count} handlers of ${rpc} run`,
    );
  }

  /**
   * No streams are left on either side, and nothing was complained about.
   * @param cancelled calls that our client has given up: it resets their streams, which Go's dRPC tells.
   */
  async expectQuiet(connection: AgentConnection, session: number, cancelled = 0): Promise<void> {
    await expectQuiet(this.peer, session, connection.session);
    const errors = this.#events("drpcError").map(({ error }) => String(error));
    const resets = errors.filter((text) => text.endsWith("connection reset"));
    expect(errors).toEqual(resets);
    expect(resets.length).toBeLessThanOrEqual(cancelled);
  }

  #events(kind: string): Facts[] {
    return this.peer.events.filter(({ event, server }) => event === kind && server === this.handle);
  }
}
