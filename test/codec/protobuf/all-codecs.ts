import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { MessageCodec } from "../../../src/codec/index.js";
import * as agentCodecs from "../../../src/gen/coder/agent/v2/agent_codec.js";
import * as agent from "../../../src/gen/coder/agent/v2/agent_pb.js";
import * as agentSocketCodecs from "../../../src/gen/coder/agentsocket/v1/agentsocket_codec.js";
import * as agentSocket from "../../../src/gen/coder/agentsocket/v1/agentsocket_pb.js";
import * as boundaryCodecs from "../../../src/gen/coder/boundarylogproxy/codec/v1/boundary_codec.js";
import * as boundary from "../../../src/gen/coder/boundarylogproxy/codec/v1/boundary_pb.js";
import * as tailnetCodecs from "../../../src/gen/coder/tailnet/v2/index_codec.js";
import * as tailnet from "../../../src/gen/coder/tailnet/v2/index_pb.js";

/** A message type with its generated codec. */
export interface Pair {
  name: string;
  schema: DescMessage;
  codec: MessageCodec<Message, Record<string, unknown>>;
}

/** Every message of the packages that have codecs. */
export const pairs: readonly Pair[] = [
  ...pairsOf(agent, agentCodecs),
  ...pairsOf(tailnet, tailnetCodecs),
  ...pairsOf(agentSocket, agentSocketCodecs),
  ...pairsOf(boundary, boundaryCodecs),
];

/** The codec of a message, by its full name. */
export function pairOf(typeName: string): Pair {
  const found = pairs.find(({ name }) => name === typeName);
  if (found === undefined) throw new Error(`${typeName} has no codec`);
  return found;
}

function pairsOf(messages: object, codecs: object): Pair[] {
  const byName = new Map<string, unknown>(Object.entries(codecs));
  return Object.entries(messages)
    .filter(([name, value]) => name.endsWith("Schema") && (value as DescMessage).kind === "message")
    .map(([name, value]) => {
      const schema = value as DescMessage;
      const codec = byName.get(name.replace(/Schema$/, "Codec"));
      if (codec === undefined) throw new Error(`${schema.typeName} has no codec`);
      return { name: schema.typeName, schema, codec: codec as Pair["codec"] };
    });
}
