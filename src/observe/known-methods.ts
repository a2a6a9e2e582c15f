import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { Agent } from "../gen/coder/agent/v2/agent_pb.js";
import { AgentSocket } from "../gen/coder/agentsocket/v1/agentsocket_pb.js";
import { Tailnet } from "../gen/coder/tailnet/v2/index_pb.js";

/** Finds the method of an RPC's name, `/package.Service/Method`; undefined where it is not known. */
export type MethodLookup = (rpc: string) => DescMethod | undefined;

/** The methods of agents, of their sockets and of the tailnet, and of more services. */
export function knownMethods(more: readonly DescService[] = []): MethodLookup {
  const methods = new Map<string, DescMethod>();
  for (const service of [Agent, Tailnet, AgentSocket, ...more]) {
    for (const method of service.methods) methods.set(`/${service.typeName}/${method.name}`, method);
  }
  return (rpc) => methods.get(rpc);
}
