import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { createFileRegistry, createRegistry, type FileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { file_coder_agent_v2_agent } from "../../src/gen/coder/agent/v2/agent_pb.js";
import { file_coder_agentsocket_v1_agentsocket } from "../../src/gen/coder/agentsocket/v1/agentsocket_pb.js";
import { file_coder_boundarylogproxy_codec_v1_boundary } from "../../src/gen/coder/boundarylogproxy/codec/v1/boundary_pb.js";
import {
  file_coder_tailnet_v2_derp_map,
  file_coder_tailnet_v2_tailnet,
} from "../../src/gen/coder/tailnet/v2/index_pb.js";

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
  file_coder_tailnet_v2_derp_map,
  file_coder_tailnet_v2_tailnet,
  file_coder_agentsocket_v1_agentsocket,
  file_coder_boundarylogproxy_codec_v1_boundary,
];

export const generated = createRegistry(...generatedFiles);

/**
 * The schemas in `proto/`, as buf reads them. They have the `since` options, which are for generators: generated
 * descriptors are without.
 */
export const schemas: FileRegistry = createFileRegistry(fromBinary(FileDescriptorSetSchema, buildSchemas()));

/** The minors of which there is a descriptor set. */
export const minors = Array.from({ length: 11 }, (_, minor) => minor);

/** A descriptor set of other implementations: "newest", or "v2.N" for the end of API 2.N's life. */
export function readSet(name: string): FileRegistry {
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, readContractFile(`${name}.binpb`)));
}

function buildSchemas(): Buffer {
  const buf = createRequire(import.meta.url).resolve("@bufbuild/buf/bin/buf");
  const build = [buf, "build", "proto", "--as-file-descriptor-set", "-o", "-"];
  return execFileSync(process.execPath, build, { cwd: fileURLToPath(new URL("../..", import.meta.url)) });
}

function readContractFile(name: string): Buffer {
  return readFileSync(new URL(name, import.meta.url));
}
