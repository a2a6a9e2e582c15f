// @ts-check
import { createEcmaScriptPlugin } from "@bufbuild/protoplugin";
import { printVersions } from "./print-versions.mjs";
import { readVersions } from "./read-versions.mjs";

/** @typedef {readonly import("@bufbuild/protobuf").DescFile[]} DescFiles */

/**
 * Writes versions.ts: what the `since` options of the schemas say, as plain TypeScript constants.
 *
 * The file describes all versioned packages together, so the plugin must see them in one call
 * (`strategy: all` in buf.gen.yaml).
 */
export const plugin = createEcmaScriptPlugin({
  name: "protoc-gen-agentwire-versions",
  version: "v1",
  generateTs(schema) {
    // protoplugin may bring a copy of @bufbuild/protobuf of its own. The descriptors of the two work
    // with each other; only their types are strangers.
    const files = /** @type {DescFiles} */ (/** @type {unknown} */ (schema.files));
    const allFiles = /** @type {DescFiles} */ (/** @type {unknown} */ (schema.allFiles));
    const file = schema.generateFile("versions.ts");
    for (const line of printVersions(readVersions(files, allFiles))) {
      file.print(line);
    }
  },
});
