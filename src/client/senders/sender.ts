import type { Client } from "@connectrpc/connect";
import type { Agent } from "../../gen/coder/agent/v2/agent_pb.js";
import type { DropCounts } from "./drops.js";

/** The calls of `coder.agent.v2.Agent`, as a connection has them. */
export type AgentClient = Client<typeof Agent>;

/**
 * Something that sends over one connection after the other: what it has accepted stays until it is answered, or is
 * counted as dropped. A session keeps it going.
 */
export interface Sender {
  /** What it sends, such as `logs`; for events and errors. */
  readonly name: string;

  /** How many things are accepted and not sent. */
  readonly pending: number;

  /** What was given up so far, by reason. */
  readonly dropped: DropCounts;

  /**
   * Sends what is there, and what comes, over a connection. Run it once for each connection, one at a time.
   * @returns when this connection has no more use for it: the server does not have the RPC, or takes no more.
   * @throws the signal's reason when that ends; any other error when the connection must be given up for it.
   */
  run(agent: AgentClient, signal: AbortSignal): Promise<void>;

  /** Resolves once nothing waits to be sent. @throws the signal's reason when that ends first. */
  whenEmpty(signal?: AbortSignal): Promise<void>;
}
