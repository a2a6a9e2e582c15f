// @ts-check
import { fieldName, isStruct, isWrapper, shapeName } from "./names.mjs";
import { scalarOf } from "./scalars.mjs";

/**
 * @typedef {import("@bufbuild/protobuf").DescField} DescField
 * @typedef {import("@bufbuild/protobuf").DescMessage} DescMessage
 * @typedef {import("@bufbuild/protobuf").DescOneof} DescOneof
 */

/**
 * A constructor of what protobuf-es's `create` gives: the same fields in the same order.
 *
 * @param {DescMessage} message
 * @returns {string[]}
 */
export function printShape(message) {
  const name = shapeName(message);
  return [
    `export const new${name} = /*@__PURE__*/ messageShape<${name}>(function () {`,
    `  this.$typeName = ${JSON.stringify(message.typeName)};`,
    ...message.members.flatMap((member) => {
      const zero = zeroOf(member);
      return zero === undefined ? [] : [`  this.${member.localName} = ${zero};`];
    }),
    "});",
  ];
}

/**
 * The function that reads a message, and those that read entries of its maps.
 *
 * @param {DescMessage} message
 * @returns {string[]}
 */
export function printReader(message) {
  if (isWrapper(message)) return printWrapperReader(message);
  const name = shapeName(message);
  return [
    `export function read${name}(r: Reader, m: ${name} = new new${name}(), end: number = r.open()): ${name} {`,
    "  while (r.more(end)) {",
    "    const tag = r.tag();",
    ...printSwitch(message.fields),
    "  }",
    "  return m;",
    "}",
    ...message.fields.flatMap((field) => (field.fieldKind === "map" ? ["", ...printEntryReader(field)] : [])),
  ];
}

/**
 * @param {readonly DescField[]} fields
 * @returns {string[]}
 */
function printSwitch(fields) {
  if (fields.length === 0) return ["    r.unknown(m, tag);"];
  return [
    "    switch (tag >>> 3) {",
    ...fields.flatMap((field) => [
      `      case ${field.number}:`,
      ...printField(field).map((line) => `        ${line}`),
      "        break;",
    ]),
    "      default:",
    "        r.unknown(m, tag);",
    "    }",
  ];
}

/**
 * @param {DescField} field
 * @returns {string[]}
 */
function printField(field) {
  const place = `m.${field.localName}`;
  if (field.fieldKind === "map") return [`read${entryName(field)}(r, ${place});`];
  if (field.fieldKind === "list") {
    if (field.listKind === "message") return [`${place}.push(${readChild(field.message)});`];
    const { method, wireType } = scalarOf(field);
    const push = `${place}.push(r.${method}());`;
    if (wireType === 2) return [push];
    return [`if ((tag & 7) === 2) for (const end = r.entry(); r.within(end); ) ${push}`, `else ${push}`];
  }
  if (field.oneof !== undefined) {
    const union = `m.${field.oneof.localName}`;
    const former = `${union}.case === "${field.localName}" ? ${union}.value : undefined`;
    const value = field.message === undefined ? readScalar(field) : readChild(field.message, former);
    return [`${union} = { case: "${field.localName}", value: ${value} };`];
  }
  return [`${place} = ${field.message === undefined ? readScalar(field) : readChild(field.message, place)};`];
}

/** @param {{ scalar?: import("@bufbuild/protobuf").ScalarType | undefined }} of */
function readScalar(of) {
  return `r.${scalarOf(of).method}()`;
}

/**
 * @param {DescMessage} message
 * @param {string} [former] what has been read of it so far: it is merged
 */
function readChild(message, former) {
  return `read${shapeName(message)}(r${former === undefined ? "" : `, ${former}`})`;
}

/** @param {DescField} field */
function entryName({ parent, localName }) {
  return `${shapeName(parent)}_${localName}`;
}

/**
 * @param {DescField & { fieldKind: "map" }} field
 * @returns {string[]}
 */
function printEntryReader(field) {
  const key = scalarOf({ scalar: field.mapKey });
  const { message } = field;
  const type = message === undefined ? scalarOf(field).type : shapeName(message);
  const value = message === undefined ? `value = ${scalarOf(field).zero}` : `value: ${type} | undefined`;
  const read = message === undefined ? readScalar(field) : readChild(message, "value");
  const keyText = key.type === "string" ? "key" : "String(key)";
  const present = message === undefined ? "value" : `value ?? new new${type}()`;
  return [
    `function read${entryName(field)}(r: Reader, map: { [key: string]: ${type} }): void {`,
    `  let key = ${key.zero};`,
    `  let ${value};`,
    "  for (const end = r.entry(); r.within(end); ) {",
    "    const tag = r.tag();",
    `    if (tag >>> 3 === 1) key = r.${key.method}();`,
    `    else if (tag >>> 3 === 2) value = ${read};`,
    "    else r.skip(tag);",
    "  }",
    `  setEntry(map, ${keyText}, ${present});`,
    "}",
  ];
}

/**
 * @param {DescMessage} message
 * @returns {string[]}
 */
function printWrapperReader({ name, fields: [field] }) {
  if (field === undefined) throw new Error(`${name} wraps nothing`);
  const { type, zero } = scalarOf(field);
  return [
    `export function read${name}(r: Reader, former: ${type} = ${zero}, end: number = r.open()): ${type} {`,
    "  let value = former;",
    "  while (r.more(end)) {",
    "    const tag = r.tag();",
    `    if (tag >>> 3 === 1) value = ${readScalar(field)};`,
    "    else r.skip(tag);",
    "  }",
    "  return value;",
    "}",
  ];
}

/**
 * What a new message has in a field, as code.
 *
 * @param {DescField | DescOneof} member
 * @returns {string | undefined} undefined for fields that it does not have
 */
function zeroOf(member) {
  if (member.kind === "oneof") return "{ case: undefined }";
  assertKnown(member);
  if (member.fieldKind === "list") return "[]";
  if (member.fieldKind === "map") return "{}";
  if (member.fieldKind === "message" || member.proto.proto3Optional) return undefined;
  // as with protobuf-es, they share one that is empty
  return scalarOf(member).method === "bytes" ? "noBytes" : scalarOf(member).zero;
}

/**
 * @param {DescField} field
 * @throws Error when it has something that no schema of ours has, and that is written differently
 */
function assertKnown(field) {
  const { message, parent } = field;
  const isAlone = field.fieldKind === "message" && field.oneof === undefined;
  const isStrange =
    parent.file.proto.syntax !== "proto3" ||
    (field.fieldKind === "list" && !message && scalarOf(field).wireType !== 2 && !field.packed) ||
    (field.fieldKind === "map" && scalarOf({ scalar: field.mapKey }).type === "boolean") ||
    (message !== undefined && (isWrapper(message) || isStruct(message)) && !isAlone);
  if (isStrange) throw new Error(`${fieldName(field)}: codecs for such fields are not generated yet`);
}
