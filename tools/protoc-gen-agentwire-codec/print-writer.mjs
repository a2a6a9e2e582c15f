// @ts-check
import { isWrapper, shapeName } from "./names.mjs";
import { putMethod, scalarOf } from "./scalars.mjs";

/**
 * @typedef {import("@bufbuild/protobuf").DescField} DescField
 * @typedef {import("@bufbuild/protobuf").DescMessage} DescMessage
 */

/**
 * The function that writes a message: fields by number, and at the end those that are not known.
 *
 * @param {DescMessage} message
 * @returns {string[]}
 */
export function printWriter(message) {
  if (isWrapper(message)) return printWrapperWriter(message);
  const name = shapeName(message);
  const fields = [...message.fields].sort((a, b) => a.number - b.number);
  return [
    `export function write${name}(w: Writer, m: ${name}Init, tag: number): void {`,
    `  const at = w.begin(m, (m as ${name} | undefined)?.$typeName, ${JSON.stringify(message.typeName)}, tag);`,
    ...fields.flatMap(printField).map((line) => `  ${line}`),
    `  w.end(at, (m as ${name}).$unknown);`,
    "}",
  ];
}

/**
 * @param {DescField} field
 * @returns {string[]}
 */
function printField(field) {
  const value = `m.${field.localName}`;
  if (field.fieldKind === "map") return printMap(field);
  if (field.fieldKind === "list") return printList(field);
  if (field.oneof !== undefined) {
    const union = `m.${field.oneof.localName}`;
    return [`if (${union}?.case === "${field.localName}") ${put(field.number, field, `${union}.value`)}`];
  }
  if (field.message !== undefined || field.proto.proto3Optional)
    return [`if (${value} != null) ${put(field.number, field, value)}`];
  const { method, wireType } = scalarOf(field);
  return [`w.${method}(${tagOf(field.number, wireType)}, ${value});`];
}

/**
 * @param {DescField & { fieldKind: "list" }} field
 * @returns {string[]}
 */
function printList(field) {
  const list = `w.list(m.${field.localName})`;
  const isPacked = field.message === undefined && scalarOf(field).wireType !== 2;
  if (!isPacked) return [`for (const item of ${list}) ${put(field.number, field, "item")}`];
  return [
    `if (${list}.length > 0) {`,
    `  const at = w.open(${tagOf(field.number, 2)});`,
    `  for (const item of ${list}) w.${putMethod(scalarOf(field))}(0, item);`,
    "  w.close(at);",
    "}",
  ];
}

/**
 * @param {DescField & { fieldKind: "map" }} field
 * @returns {string[]}
 */
function printMap(field) {
  const value = `${field.localName}[key]`;
  return [
    `const ${field.localName} = w.map(m.${field.localName});`,
    `for (const key of Object.keys(${field.localName})) {`,
    `  const entry = w.open(${tagOf(field.number, 2)});`,
    `  ${put(1, { scalar: field.mapKey }, "key")}`,
    `  ${put(2, field, field.message === undefined ? value : `${value} as ${shapeName(field.message)}Init`)}`,
    "  w.close(entry);",
    "}",
  ];
}

/**
 * A value that is written in any case.
 *
 * @param {number} number
 * @param {{ message?: DescMessage | undefined, scalar?: import("@bufbuild/protobuf").ScalarType | undefined }} of
 * @param {string} value
 */
function put(number, of, value) {
  if (of.message !== undefined) {
    return `write${shapeName(of.message)}(w, ${value}, ${tagOf(number, 2)});`;
  }
  const scalar = scalarOf(of);
  return `w.${putMethod(scalar)}(${tagOf(number, scalar.wireType)}, ${value});`;
}

/**
 * @param {DescMessage} message
 * @returns {string[]}
 */
function printWrapperWriter({ name, fields: [field] }) {
  if (field === undefined) throw new Error(`${name} wraps nothing`);
  const { method, type, wireType } = scalarOf(field);
  return [
    `export function write${name}(w: Writer, value: ${type}, tag: number): void {`,
    "  const at = w.open(tag);",
    `  w.${method}(${tagOf(1, wireType)}, value);`,
    "  w.close(at);",
    "}",
  ];
}

/**
 * @param {number} number
 * @param {number} wireType
 */
function tagOf(number, wireType) {
  return ((number << 3) | wireType) >>> 0;
}
