#!/usr/bin/env node
// @ts-check
// Runs protoc-gen-es, for descriptors that are smaller in a bundle. The same *_pb.ts comes out, but
// - descriptors are a text that says as much in fewer bytes, a third as large with gzip: see schema-text.mjs;
// - the `since` options are not in them: they are for generators (versions.ts has what they say).
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join, posix } from "node:path";
import { buffer } from "node:stream/consumers";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { CodeGeneratorRequestSchema, CodeGeneratorResponseSchema } from "@bufbuild/protobuf/wkt";
import { schemaText } from "./schema-text.mjs";

const optionsFile = "agentwire/options/v1/since.proto";

const request = fromBinary(CodeGeneratorRequestSchema, await buffer(process.stdin));
// what has the retention `source` is in `sourceFileDescriptors` only, so without these nothing needs the file
request.sourceFileDescriptors = [];
for (const file of request.protoFile) {
  file.dependency = file.dependency.filter((name) => name !== optionsFile);
}
const response = fromBinary(CodeGeneratorResponseSchema, run(toBinary(CodeGeneratorRequestSchema, request)));
for (const file of response.file) {
  const content = withTextDescriptor(file.content);
  if (content !== file.content) file.content = withImport(content, file.name);
}
process.stdout.write(toBinary(CodeGeneratorResponseSchema, response));

/**
 * @param {Uint8Array} input a request
 * @returns {Uint8Array} the response
 */
function run(input) {
  const packageJson = createRequire(import.meta.url).resolve("@bufbuild/protoc-gen-es/package.json");
  const bin = join(dirname(packageJson), "bin/protoc-gen-es");
  const { status, stdout } = spawnSync(process.execPath, [bin], {
    input,
    maxBuffer: 64 * 1024 * 1024,
    stdio: ["pipe", "pipe", "inherit"],
  });
  if (status !== 0) throw new Error("protoc-gen-es has failed");
  return stdout;
}

/** @param {string} code */
function withTextDescriptor(code) {
  return code.replace(/\bfileDesc\("([A-Za-z0-9+/]+)"/, (call, base64) => {
    const text = schemaText(Buffer.from(base64, "base64"));
    return text === undefined ? call : `fileDesc(/*@__PURE__*/ descriptorOf(${JSON.stringify(text)})`;
  });
}

/**
 * @param {string} code
 * @param {string} name of its file, in src/gen
 */
function withImport(code, name) {
  const module = posix.relative(posix.dirname(`gen/${name}`), "codec/protobuf/schema-text.js");
  return code.replace(/^import /m, `import { descriptorOf } from "${module}";\nimport `);
}
