// @ts-check
import { createEcmaScriptPlugin } from "@bufbuild/protoplugin";
import { printCodecs } from "./print-codecs.mjs";
import { printIndexes } from "./print-indexes.mjs";

/** @typedef {import("@bufbuild/protobuf").DescFile} DescFile */

/** The packages whose messages travel over dRPC and in boundary frames. */
const ownPackages = [
  "coder.agent.v2",
  "coder.tailnet.v2",
  "coder.agentsocket.v1",
  "coder.boundarylogproxy.codec.v1",
];

/**
 * Writes a `*_codec.ts` beside each `*_pb.ts` of these packages, and those of what they use of
 * google.protobuf: for each message a function that reads it, one that writes it, and the codec made of the
 * two. A package of several files gets an `index_pb.ts` and an `index_codec.ts` with all of them.
 *
 * What google.protobuf codecs are needed is known only to who sees all packages together (`strategy: all` in
 * buf.gen.yaml).
 *
 * For services of others there are two options: `package=NAME`, as often as there are packages, names theirs, and
 * `runtime=MODULE` says from where the code imports what it is made of: `agentwire/codec/runtime`.
 */
export const plugin = createEcmaScriptPlugin({
  name: "protoc-gen-agentwire-codec",
  version: "v1",
  parseOptions(options) {
    const values = (/** @type {string} */ wanted) =>
      options.filter(({ key }) => key === wanted).map(({ value }) => value);
    const unknown = options.find(({ key }) => key !== "package" && key !== "runtime");
    if (unknown !== undefined)
      throw new Error(`there is no option ${unknown.key}; there are package and runtime`);
    const packages = values("package");
    return { packages: packages.length > 0 ? packages : ownPackages, runtime: values("runtime")[0] };
  },
  generateTs(schema) {
    const { packages, runtime } = schema.options;
    // protoplugin may bring a copy of @bufbuild/protobuf of its own. The descriptors of the two work
    // with each other; only their types are strangers.
    const all = /** @type {readonly DescFile[]} */ (/** @type {unknown} */ (schema.allFiles));
    const files = all.filter((file) => packages.includes(file.proto.package));
    for (const { path, lines } of [...printCodecs(files, runtime), ...printIndexes(files)]) {
      const file = schema.generateFile(path);
      for (const line of lines) {
        file.print(line);
      }
    }
  },
});
