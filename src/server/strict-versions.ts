import type { DescMethod, Message } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import type { RegisteredMethod, RpcTable } from "../rpc/index.js";
import {
  type ApiMethod,
  apiMethods,
  type Dropper,
  dropNewer,
  methodVersion,
  newestVersion,
  parseVersion,
} from "../version/index.js";

type Drop = Dropper | undefined;

const versionedServices = new Set(["coder.agent.v2.Agent", "coder.tailnet.v2.Tailnet"]);

/**
 * What sessions of each version get of the same handlers, as if the server were of that version: later RPCs answer
 * with code 12, `Unimplemented`; later fields are taken out of requests before interceptors and handlers see them, and
 * out of answers before they are sent; later enum values are 0 there. Other services are not touched.
 * @returns the table for a session's version, as it was written when dialling. Each is made once.
 */
export function strictTables(table: RpcTable): (apiVersion: string) => RpcTable {
  const byMinor = new Map<number, RpcTable>([[newestVersion.minor, table]]);
  return (apiVersion) => {
    // a minor below zero is accepted (S1.18), and has nothing that 2.0 has not
    const minor = Math.min(Math.max(parseVersion(apiVersion).minor, 0), newestVersion.minor);
    let strict = byMinor.get(minor);
    if (strict === undefined) {
      strict = table.map((registered) => ofMinor(registered, minor));
      byMinor.set(minor, strict);
    }
    return strict;
  };
}

function ofMinor(registered: RegisteredMethod, minor: number): RegisteredMethod {
  const { method, interceptors } = registered;
  const local = apiMethodOf(method);
  if (local === undefined) return registered;
  if (methodVersion(local).minor > minor) return { ...registered, spec: undefined };
  const dropRequest = dropNewer(method.input, minor);
  const dropAnswer = dropNewer(method.output, minor);
  if (dropRequest === undefined && dropAnswer === undefined) return registered;
  return { ...registered, interceptors: [dropping(dropRequest, dropAnswer), ...interceptors] };
}

function apiMethodOf({ parent, localName }: DescMethod): ApiMethod | undefined {
  if (!versionedServices.has(parent.typeName)) return undefined;
  return apiMethods.find((name) => name === localName);
}

/** Changes requests before all that comes after it, and answers after all that came before them. */
export function dropping(dropRequest: Drop, dropAnswer: Drop): Interceptor {
  return (next) => async (request) => {
    const answer = request.stream
      ? await next({ ...request, message: changedAll(request.message, dropRequest) })
      : await next({ ...request, message: changed(request.message, dropRequest) });
    return answer.stream
      ? { ...answer, message: changedAll(answer.message, dropAnswer) }
      : { ...answer, message: changed(answer.message, dropAnswer) };
  };
}

function changed<M extends Message>(message: M, drop: Drop): M {
  return drop === undefined ? message : drop(message);
}

async function* changedAll<M extends Message>(messages: AsyncIterable<M>, drop: Drop): AsyncGenerator<M> {
  for await (const message of messages) yield changed(message, drop);
}
