import type { DescMethod, DescService } from "@bufbuild/protobuf";
import {
  type ConnectRouter,
  createMethodImplSpec,
  type Interceptor,
  type MethodImpl,
  type MethodImplSpec,
  type ServiceImpl,
} from "@connectrpc/connect";
import type { MessageCodecs } from "../../codec/index.js";
import { handlerSide, type MethodSide } from "../method.js";

/** Registers handlers: the same function is mounted on dRPC and on Connect's own HTTP protocols. */
export type Routes = (router: ConnectRouter) => void;

/** A method that is registered. */
export interface RegisteredMethod {
  readonly method: DescMethod;
  /** Undefined where the service leaves the method out: it answers with code 12. */
  readonly spec: MethodImplSpec | undefined;
  readonly interceptors: readonly Interceptor[];
  /** What its messages are read and written with, where they know them; else protobuf-es does. */
  readonly codecs: MessageCodecs | undefined;
}

/** @internal A method as conversations serve it. */
export interface ServedMethod {
  readonly registered: RegisteredMethod;
  readonly side: MethodSide;
}

/** Handlers by RPC name. */
export class RpcTable {
  readonly #methods = new Map<string, ServedMethod>();
  /** The same by the length and the end of their names, which few have in common. */
  readonly #byEnd = new Map<number, ServedMethod[]>();

  /** The method of a name, `/package.Service/Method`. */
  find(path: string): RegisteredMethod | undefined {
    return this.#methods.get(path)?.registered;
  }

  /** @internal The same with the name as it came, of which no text is made: each call has one. */
  findBytes(name: Uint8Array): ServedMethod | undefined {
    return this.#byEnd.get(lengthAndEnd(name))?.find(({ side }) => isSame(side.nameBytes, name));
  }

  /** All names, in the order in which they were registered. */
  get paths(): string[] {
    return [...this.#methods.keys()];
  }

  /** A table with each method as a function makes it of this one's. */
  map(change: (registered: RegisteredMethod) => RegisteredMethod): RpcTable {
    const table = new RpcTable();
    for (const { registered } of this.#methods.values()) table.add(change(registered));
    return table;
  }

  /** @internal */
  add(registered: RegisteredMethod): void {
    const { method, codecs } = registered;
    const served = { registered, side: handlerSide(method, codecs) };
    const key = lengthAndEnd(served.side.nameBytes);
    const others = (this.#byEnd.get(key) ?? []).filter(({ registered: other }) => other.method !== method);
    this.#byEnd.set(key, [served, ...others]);
    this.#methods.set(served.side.path, served);
  }
}

/** A number made of the length of a name and its last three bytes. */
function lengthAndEnd(name: Uint8Array): number {
  const { length } = name;
  const end = ((name[length - 3] ?? 0) << 16) | ((name[length - 2] ?? 0) << 8) | (name[length - 1] ?? 0);
  return length * 0x1000000 + end;
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false;
  return true;
}

/**
 * Runs a `routes(router)` function and keeps what it registers. The router is a Connect router; its options for
 * HTTP protocols have no meaning here and are ignored, except `interceptors`.
 * @param options.interceptors apply to all methods, outside those of a single service.
 * @param options.codecs generated codecs, such as `agentCodecs`; protobuf-es is used for messages that they do not
 * know, and by default for all.
 */
export function createRpcTable(
  routes: Routes,
  options: { interceptors?: Interceptor[]; codecs?: MessageCodecs | undefined } = {},
): RpcTable {
  const table = new RpcTable();
  const outer = options.interceptors ?? [];
  const add = (method: DescMethod, impl: unknown, interceptors: Interceptor[] | undefined) => {
    table.add({
      method,
      spec:
        typeof impl === "function" ? createMethodImplSpec(method, impl as MethodImpl<DescMethod>) : undefined,
      interceptors: [...outer, ...(interceptors ?? [])],
      codecs: options.codecs,
    });
  };
  const router: ConnectRouter = {
    handlers: [],
    service(service: DescService, implementation: Partial<ServiceImpl<DescService>>, opts) {
      for (const method of service.methods) {
        const impl = implementation[method.localName] as ((...args: unknown[]) => unknown) | undefined;
        add(method, impl?.bind(implementation), opts?.interceptors);
      }
      return router;
    },
    rpc(method: DescMethod, impl: unknown, opts) {
      add(method, impl, opts?.interceptors);
      return router;
    },
  };
  routes(router);
  return table;
}
