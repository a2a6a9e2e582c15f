#!/usr/bin/env node
// @ts-check
// Runs protoc-gen-es, for descriptors that are smaller in a bundle. The same *_pb.ts comes out, but
// - descriptors are text and not base64, in which a compressor finds little that comes again: half as large with gzip;
// - the `since` options are not in them: they are for generators (versions.ts has what they say).
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { CodeGeneratorRequestSchema, CodeGeneratorResponseSchema } from "@bufbuild/protobuf/wkt";

const optionsFile = "agentwire/options/v1/since.proto";

const request = fromBinary(CodeGeneratorRequestSchema, await buffer(process.stdin));
// what has the retention `source` is in `sourceFileDescriptors` only, so without these nothing needs the file
request.sourceFileDescriptors = [];
for (const file of request.protoFile) {
  file.dependency = file.dependency.filter((name) => name !== optionsFile);
}
const response = fromBinary(CodeGeneratorResponseSchema, run(toBinary(CodeGeneratorRequestSchema, request)));
for (const file of response.file) file.content = withTextDescriptor(file.content);
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
  return code.replace(
    /\bfileDesc\("([A-Za-z0-9+/]+)"/,
    (_call, base64) => `fileDesc(/*@__PURE__*/ btoa(${textOf(Buffer.from(base64, "base64"))})`,
  );
}

/**
 * Bytes as a literal of which each character is one byte. It is ASCII, so that no tool can mistake it.
 *
 * @param {Buffer} bytes
 */
function textOf(bytes) {
  const escaped = [...bytes].map((byte) => {
    const character = String.fromCharCode(byte);
    if (character === "\n") return "\\n";
    if (character === '"' || character === "\\") return `\\${character}`;
    return byte < 0x20 || byte > 0x7e ? `\\x${byte.toString(16).padStart(2, "0")}` : character;
  });
  return `"${escaped.join("")}"`;
}
