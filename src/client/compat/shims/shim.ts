import type { DescMethod, MessageInitShape } from "@bufbuild/protobuf";
import type { CallOptions } from "@connectrpc/connect";
import type { ApiMethod } from "../../../version/index.js";
import type { AgentRequest } from "../../http/agent-request.js";
import type { AgentClient } from "../../senders/sender.js";

/** The request of any unary method. */
type AnyRequest = MessageInitShape<DescMethod["input"]>;

/** The ways to a server besides the call that failed. */
export interface ServerWays {
  /** The other RPCs of the connection. */
  agent(): AgentClient;
  /** A request beside the connection, with its token. */
  http(request: AgentRequest, options: CallOptions | undefined): Promise<unknown>;
}

/** What is to be said of an older way. */
export interface ShimFacts<Name extends string = string> {
  /** By which it is switched off. */
  readonly name: Name;
  /** The method whose calls it makes. */
  readonly method: ApiMethod;
  /** What it does instead: `PATCH me/logs`. */
  readonly way: string;
  /** How what it does is what the call means. */
  readonly rule: string;
  /** When it is taken. */
  readonly when: string;
  /** True where it stands for an RPC that is not there; false where it only reads an answer. */
  readonly standsIn: boolean;
}

/** How a call is made on a server that does not have its RPC, or answers it in an older manner. */
export interface Shim<Name extends string = string> extends Pick<ShimFacts<Name>, "name" | "method" | "way"> {
  /** True where it needs requests beside the connection. */
  readonly isOverHttp: boolean;
  /** Whether it has an answer to how a call has failed. */
  isFor(error: unknown): boolean;
  /** Makes the call. @returns the answer, as the method has it. */
  call(request: AnyRequest, ways: ServerWays, options: CallOptions | undefined): unknown;
}
