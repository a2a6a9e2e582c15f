import { readFileSync } from "node:fs";
import { createFileRegistry, createRegistry, type FileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { file_coder_agent_v2_agent } from "../../src/gen/coder/agent/v2/agent_pb.js";
import { file_coder_agentsocket_v1_agentsocket } from "../../src/gen/coder/agentsocket/v1/agentsocket_pb.js";
import { file_coder_boundarylogproxy_codec_v1_boundary } from "../../src/gen/coder/boundarylogproxy/codec/v1/boundary_pb.js";
import { file_coder_tailnet_v2_tailnet } from "../../src/gen/coder/tailnet/v2/tailnet_pb.js";

/** A name, and since when; packages without an API version have no `since`. */
interface Named {
  readonly name: string;
  readonly since?: number;
}

/** What of contract.json the tests read. */
interface Contract {
  readonly messagesSince: Readonly<Record<string, number>>;
  readonly enumsSince: Readonly<Record<string, number>>;
  readonly services: Readonly<Record<string, readonly Named[]>>;
  readonly messages: Readonly<Record<string, readonly Named[]>>;
  readonly enums: Readonly<Record<string, readonly Named[]>>;
}

export const contract = JSON.parse(readContractFile("contract.json").toString()) as Contract;

/** The generated descriptors of the four schema packages. */
export const generatedFiles = [
  file_coder_agent_v2_agent,
  file_coder_tailnet_v2_tailnet,
  file_coder_agentsocket_v1_agentsocket,
  file_coder_boundarylogproxy_codec_v1_boundary,
];

export const generated = createRegistry(...generatedFiles);

/** The minors of which there is a descriptor set. */
export const minors = Array.from({ length: 11 }, (_, minor) => minor);

/** A descriptor set of other implementations: "newest", or "v2.N" for the end of API 2.N's life. */
export function readSet(name: string): FileRegistry {
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, readContractFile(`${name}.binpb`)));
}

function readContractFile(name: string): Buffer {
  return readFileSync(new URL(name, import.meta.url));
}
