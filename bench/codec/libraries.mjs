import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { create, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import * as agentCodecs from "../../dist/gen/coder/agent/v2/agent_codec.js";
import * as tailnetCodecs from "../../dist/gen/coder/tailnet/v2/index_codec.js";
import { messageOf } from "./messages.mjs";

/**
 * What a library does with one message. Each returns what it has made, so that nothing is left out.
 *
 * @typedef {object} Operations
 * @property {() => unknown} encode a message of the library's own kind
 * @property {() => unknown} decode
 * @property {(() => unknown)} [init] encode from a plain object, as who makes a call gives it
 */

/** @typedef {import("./messages.mjs").Subject} Subject */

const rivals = fileURLToPath(new URL("rivals/", import.meta.url));
/** Beside the library it needs, which is another version than that of the package's own dependencies. */
const staticCode = `${rivals}node_modules/static.cjs`;
const proto = fileURLToPath(new URL("../../proto/", import.meta.url));

/** @type {Record<string, (subject: Subject) => Operations>} */
export const libraries = {
  "protobuf-es"(subject) {
    const { schema, init } = subject;
    const message = messageOf(subject);
    const bytes = toBinary(schema, message);
    return {
      encode: () => toBinary(schema, message),
      decode: () => fromBinary(schema, bytes),
      init: () => toBinary(schema, create(schema, init)),
    };
  },

  agentwire(subject) {
    const { schema, init } = subject;
    const all = /** @type {Record<string, unknown>} */ ({ ...tailnetCodecs, ...agentCodecs });
    const codec = /** @type {import("../../dist/codec/index.js").MessageCodec} */ (
      all[`${schema.name}Codec`]
    );
    const message = messageOf(subject);
    const bytes = toBinary(schema, message);
    same(codec.encode(message), bytes, subject);
    return {
      encode: () => codec.encode(message),
      decode: () => codec.decode(bytes),
      init: () => codec.encode(init),
    };
  },

  protobufjs(subject) {
    const { schema, init } = subject;
    const root = createRequire(import.meta.url)(staticCode);
    const type = schema.typeName.split(".").reduce((/** @type {any} */ place, name) => place[name], root);
    const bytes = Buffer.from(toBinary(schema, messageOf(subject)));
    const message = type.decode(bytes);
    const plain = type.toObject(message);
    same(type.encode(message).finish(), bytes, subject);
    return {
      encode: () => type.encode(message).finish(),
      decode: () => type.decode(bytes),
      ...(init === undefined ? {} : { init: () => type.encode(plain).finish() }),
    };
  },

  json(subject) {
    const json = toJson(subject.schema, messageOf(subject));
    const bytes = Buffer.from(JSON.stringify(json));
    return {
      encode: () => Buffer.from(JSON.stringify(json)),
      decode: () => JSON.parse(bytes.toString()),
    };
  },
};

/**
 * Makes protobufjs's static code, and installs what makes it if need be.
 *
 * @throws Error when there is neither
 */
export function prepareProtobufjs() {
  if (existsSync(staticCode)) return;
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  if (!existsSync(`${rivals}node_modules`)) {
    execFileSync(npm, ["ci", "--ignore-scripts"], { cwd: rivals, stdio: ["ignore", 2, 2] });
  }
  const pbjs = createRequire(`${rivals}package.json`).resolve("protobufjs-cli/bin/pbjs");
  const files = ["coder/agent/v2/agent.proto", "coder/tailnet/v2/tailnet.proto"];
  execFileSync(
    process.execPath,
    [pbjs, "-t", "static-module", "-w", "commonjs", "-p", proto, "-o", staticCode, ...files],
    { cwd: rivals, stdio: ["ignore", 2, 2] },
  );
}

/**
 * @param {Uint8Array} actual
 * @param {Uint8Array} expected
 * @param {Subject} subject
 */
function same(actual, expected, { name }) {
  if (Buffer.compare(actual, expected) !== 0) throw new Error(`${name}: the libraries write other bytes`);
}
