import { Code, type ConnectError } from "@connectrpc/connect";
import { RpcError } from "../../rpc/index.js";
import { type ApiMethod, type ApiVersion, formatVersion, methodVersion } from "../../version/index.js";

const brand = Symbol.for("agentwire.UnsupportedByServerError");

/** What an {@link UnsupportedByServerError} is made of. */
export interface UnsupportedFacts {
  method: ApiMethod;
  /** The RPC, as `/package.Service/Method`. */
  rpc: string;
  /** The version that the connection is of. */
  connection: ApiVersion;
  /** What the server said when it was asked. */
  refusal: ConnectError;
  /** The older way that is not there either. */
  olderWay?: string | undefined;
}

/**
 * A call of an RPC that the server does not have, and for which there is no older way, or none that is switched on
 * (C2.11, C2.12). Its code is `Unimplemented`; `rawMessage` is what the server said, and `cause` its whole answer.
 * Calls of the same RPC on the same connection fail with it from then on without being made.
 */
export class UnsupportedByServerError extends RpcError {
  /** The method, by its local name. */
  readonly method: ApiMethod;
  /** The first version of the API that promises it. */
  readonly needed: ApiVersion;
  /** The version that the server has agreed to for this connection. */
  readonly connection: ApiVersion;

  constructor(facts: UnsupportedFacts) {
    const { method, rpc, connection, refusal } = facts;
    const { drpcCode } = refusal as Partial<RpcError>;
    super(textOf(facts), Code.Unimplemented, { layer: "rpc", rpc, drpcCode, cause: refusal });
    this.method = method;
    this.needed = methodVersion(method);
    this.connection = connection;
    Object.defineProperty(this, "rawMessage", { value: refusal.rawMessage, enumerable: true });
    Object.defineProperty(this, brand, { value: true });
  }

  /** True for errors of another copy of this module too. */
  static override [Symbol.hasInstance](value: unknown): value is UnsupportedByServerError {
    return typeof value === "object" && value !== null && brand in value;
  }
}

function textOf({ method, rpc, connection, refusal, olderWay }: UnsupportedFacts): string {
  const needed = methodVersion(method);
  const isPromised = connection.minor >= needed.minor;
  const versions = isPromised
    ? `though API ${formatVersion(needed)} and this connection, of API ${formatVersion(connection)}, promise it`
    : `which came with API ${formatVersion(needed)}, and this connection is of API ${formatVersion(connection)}`;
  const older = olderWay === undefined ? "" : `, nor the older way, ${olderWay}`;
  const advice = `update the server, or do without: connection.supports("${method}") is false now`;
  return `${rpc}: the server does not have this RPC, ${versions}${older}; ${advice}; it said: ${refusal.rawMessage}`;
}
