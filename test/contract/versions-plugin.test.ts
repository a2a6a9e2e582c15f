import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  clearExtension,
  clone,
  create,
  type DescExtension,
  type DescFile,
  fromBinary,
  type Message,
  setExtension,
  toBinary,
} from "@bufbuild/protobuf";
import {
  CodeGeneratorRequestSchema,
  CodeGeneratorResponseSchema,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import {
  enum_since,
  field_since,
  message_since,
  method_since,
} from "../../src/gen/agentwire/options/v1/since_pb.js";
import { schemas as registry } from "./contract.js";

const agentFile = "coder/agent/v2/agent.proto";
const tailnetFile = "coder/tailnet/v2/tailnet.proto";
const socketFile = "coder/agentsocket/v1/agentsocket.proto";

describe("protoc-gen-agentwire-versions", () => {
  test("writes src/gen/versions.ts", () => {
    const { files } = runPlugin(schemas());
    const versions = new URL("../../src/gen/versions.ts", import.meta.url);
    expect(files).toEqual({ "versions.ts": readFileSync(versions, "utf8") });
  });

  test("fails for a method without the option", () => {
    const files = schemas();
    const method = files.get(agentFile)?.service[0]?.method[0];
    clear(method, method_since);
    expect(runPlugin(files).error).toContain(
      "rpc coder.agent.v2.Agent.GetManifest needs option (agentwire.options.v1.method_since)",
    );
  });

  test("fails for a top-level message without the option", () => {
    const files = schemas();
    const message = files.get(tailnetFile)?.messageType.find(({ name }) => name === "Node");
    clear(message, message_since);
    expect(runPlugin(files).error).toContain(
      "message coder.tailnet.v2.Node needs option (agentwire.options.v1.message_since)",
    );
  });

  test("fails for a top-level enum without the option", () => {
    const files = schemas();
    clear(files.get(agentFile)?.enumType[0], enum_since);
    expect(runPlugin(files).error).toContain(
      "enum coder.agent.v2.AppHealth needs option (agentwire.options.v1.enum_since)",
    );
  });

  test("fails for a field that is not later than its message", () => {
    const files = schemas();
    const field = files
      .get(agentFile)
      ?.messageType.find(({ name }) => name === "CreateSubAgentRequest")
      ?.field.find(({ name }) => name === "id");
    if (field?.options === undefined) {
      throw new Error("CreateSubAgentRequest.id has no options");
    }
    setExtension(field.options, field_since, 6);
    expect(runPlugin(files).error).toContain(
      "field coder.agent.v2.CreateSubAgentRequest.id has field_since = 6, which is not later than 6 around it",
    );
  });

  test("lists everything that is wrong at once", () => {
    const files = schemas();
    for (const method of files.get(tailnetFile)?.service[0]?.method ?? []) {
      clear(method, method_since);
    }
    expect(runPlugin(files).error.match(/needs option/g)).toHaveLength(5);
  });

  test("fails when it does not see all versioned packages in one call", () => {
    expect(runPlugin(schemas(), [agentFile]).error).toContain("package coder.tailnet.v2 is not in this call");
  });

  test("does not look at packages without an API version", () => {
    const { files } = runPlugin(schemas(), [agentFile, tailnetFile, socketFile]);
    expect(files["versions.ts"]).not.toContain("agentsocket");
  });
});

/** The schemas with all they import, imports first, by file name. The copies are the caller's to spoil. */
function schemas(): Map<string, FileDescriptorProto> {
  const found = new Map<string, FileDescriptorProto>();
  const visit = (file: DescFile) => {
    file.dependencies.forEach(visit);
    found.set(file.proto.name, clone(FileDescriptorProtoSchema, file.proto));
  };
  for (const file of registry.files) if (file.proto.package.startsWith("coder.")) visit(file);
  return found;
}

function clear(desc: { options?: Message | undefined } | undefined, option: DescExtension): void {
  if (desc?.options === undefined) {
    throw new Error(`there is no ${option.name} to clear`);
  }
  clearExtension(desc.options, option);
}

function runPlugin(
  schemas: Map<string, FileDescriptorProto>,
  fileToGenerate = [...schemas.keys()],
): { files: Record<string, string>; error: string } {
  const request = create(CodeGeneratorRequestSchema, {
    fileToGenerate,
    parameter: "target=ts",
    protoFile: [...schemas.values()],
  });
  const main = fileURLToPath(new URL("../../tools/protoc-gen-agentwire-versions/main.mjs", import.meta.url));
  const { stdout, stderr } = spawnSync(process.execPath, [main], {
    input: toBinary(CodeGeneratorRequestSchema, request),
  });
  const response = fromBinary(CodeGeneratorResponseSchema, stdout);
  const files = Object.fromEntries(response.file.map(({ name, content }) => [name, content]));
  return { files, error: stderr.toString() };
}
