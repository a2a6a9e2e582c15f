import type { DescMethod } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { type CallHooks, type FailedCall, isUnimplemented } from "../../rpc/index.js";
import { type ApiMethod, type ApiVersion, versionHas } from "../../version/index.js";
import { HttpError } from "../http/request-errors.js";
import type { AgentClient } from "../senders/sender.js";
import { type ServerWays, type Shim, type ShimChoice, shims } from "./shims/index.js";
import { UnsupportedByServerError } from "./unsupported.js";

/** What {@link Capabilities} begin with. */
export interface CapabilitiesInit {
  version: ApiVersion;
  choice: ShimChoice | undefined;
  /** The other RPCs of the connection. */
  agent(): AgentClient;
  /** Makes requests beside the connection; undefined where there are none. */
  http: ServerWays["http"] | undefined;
}

/**
 * What the server of a connection is known to have. Every RPC is tried, whatever the version, since servers may have
 * one early (C1.25, C1.28); one that is answered with Unimplemented is not tried again on the connection: it goes the
 * older way, where there is one, or fails at once.
 */
export class Capabilities implements CallHooks {
  readonly #version: ApiVersion;
  readonly #ways: ServerWays;
  readonly #shims: Set<Shim>;
  /** What the server said, by RPC that it does not have. */
  readonly #refusals = new Map<string, ConnectError>();

  constructor({ version, choice = {}, agent, http }: CapabilitiesInit) {
    this.#version = version;
    this.#ways = { agent, http: http ?? noHttp };
    const isOn = (shim: (typeof shims)[number]) =>
      choice !== false && choice[shim.name] !== false && (http !== undefined || !shim.isOverHttp);
    this.#shims = new Set(shims.filter(isOn));
  }

  supports(method: ApiMethod): boolean {
    return !this.#refusals.has(method) && versionHas(this.#version, method);
  }

  before(method: DescMethod): Error | undefined {
    return this.#refusals.size === 0 ? undefined : this.#refusals.get(method.localName);
  }

  failed(error: unknown, call: FailedCall): unknown {
    const method = call.method.localName as ApiMethod;
    const refusal = isUnimplemented(error) ? (error as ConnectError) : undefined;
    if (refusal !== undefined) this.#refusals.set(method, refusal);
    const shim = this.#shimFor(method, error);
    if (shim !== undefined && call.input !== undefined) return this.#goOlderWay(shim, call, call.input);
    throw refusal === undefined ? error : this.#unsupported(call, refusal);
  }

  #shimFor(method: ApiMethod, error: unknown): Shim | undefined {
    for (const shim of this.#shims) if (shim.method === method && shim.isFor(error)) return shim;
    return undefined;
  }

  async #goOlderWay(shim: Shim, call: FailedCall, input: NonNullable<FailedCall["input"]>): Promise<unknown> {
    try {
      return await shim.call(input, this.#ways, call.options);
    } catch (error) {
      const refusal = this.#refusals.get(shim.method);
      if (refusal === undefined || !isMissing(error)) throw error;
      this.#shims.delete(shim);
      throw this.#unsupported(call, refusal, shim.way);
    }
  }

  #unsupported({ method }: FailedCall, refusal: ConnectError, olderWay?: string): UnsupportedByServerError {
    return new UnsupportedByServerError({
      method: method.localName as ApiMethod,
      rpc: `/${method.parent.typeName}/${method.name}`,
      connection: this.#version,
      refusal,
      olderWay,
    });
  }
}

function noHttp(): never {
  throw new Error("there are no requests beside this connection");
}

/** Whether the older way is not there either. */
function isMissing(error: unknown): boolean {
  if (error instanceof HttpError) return error.status === 404 || error.status === 405;
  return isUnimplemented(error);
}
