import type { Code } from "@connectrpc/connect";
import { RpcError, type RpcErrorLayer } from "../../rpc/index.js";
import { type Refusal, type RefusalFacts, readRefusal, refusalText, type Validation } from "./refusal.js";

const dialBrand = Symbol.for("agentwire.DialError");
const httpBrand = Symbol.for("agentwire.HttpError");

/** A request that the server refused, or that never reached it. The token and the query are in none of it. */
abstract class RequestError extends RpcError {
  /** The HTTP status of the answer; undefined when none came, or the runtime does not show it. */
  readonly status: number | undefined;
  /** The server's own message, or ours where it said none. */
  readonly reason: string;
  /** More of what the server said. */
  readonly detail: string | undefined;
  /** What the server found wrong with which part of the request. */
  readonly validations: readonly Validation[];

  constructor(what: string, reason: string, code: Code, layer: RpcErrorLayer, facts: RefusalFacts) {
    super(refusalText(what, reason, facts), code, { layer, cause: facts.cause });
    this.reason = reason;
    this.status = facts.status;
    this.detail = facts.detail;
    this.validations = facts.validations ?? [];
  }
}

/** Why a dial failed. What the server said is kept. */
export class DialError extends RequestError {
  constructor(url: string, reason: string, code: Code, facts: RefusalFacts = {}) {
    super(`dial ${url}`, reason, code, "dial", facts);
    Object.defineProperty(this, dialBrand, { value: true });
  }

  /** True for errors of another copy of this module too. */
  static override [Symbol.hasInstance](value: unknown): value is DialError {
    return typeof value === "object" && value !== null && dialBrand in value;
  }
}

/** Why a request over HTTP, beside the connection, failed. What the server said is kept. */
export class HttpError extends RequestError {
  constructor(request: string, reason: string, code: Code, facts: RefusalFacts = {}) {
    super(request, reason, code, "http", facts);
    Object.defineProperty(this, httpBrand, { value: true });
  }

  /** True for errors of another copy of this module too. */
  static override [Symbol.hasInstance](value: unknown): value is HttpError {
    return typeof value === "object" && value !== null && httpBrand in value;
  }
}

/** The error of an answer that refused an upgrade. */
export function refusedDial(url: string, refusal: Refusal): DialError {
  const { reason, code, ...facts } = readRefusal(refusal);
  return new DialError(url, reason, code, facts);
}

/** The error of an answer that is not the one hoped for. */
export function refusedRequest(request: string, refusal: Refusal): HttpError {
  const { reason, code, ...facts } = readRefusal(refusal);
  return new HttpError(request, reason, code, facts);
}
