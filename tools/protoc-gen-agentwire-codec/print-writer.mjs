// @ts-check
import { fieldName, isStruct, isWrapper, shapeName } from "./names.mjs";
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
    `export function write${name}(w: Writer, m: ${name}Init): void {`,
    `  w.begin(m, (m as ${name} | undefined)?.$typeName, ${JSON.stringify(message.typeName)});`,
    ...fields.flatMap(printField).map((line) => `  ${line}`),
    `  const { $unknown } = m as ${name};`,
    "  if ($unknown !== undefined) w.unknown($unknown);",
    "}",
  ];
}

/**
 * @param {DescField} field
 * @returns {string[]}
 */
function printField(field) {
  const value = `m.${field.localName}`;
  const name = fieldName(field);
  if (field.fieldKind === "map") return printMap(field);
  if (field.fieldKind === "list") {
    if (field.listKind === "message") {
      return [
        `for (const item of w.list(${value}, ${name})) {`,
        ...indented(printChild(field.number, field.message, "item", name)),
        "}",
      ];
    }
    return printScalars(field);
  }
  if (field.oneof !== undefined) {
    const union = `m.${field.oneof.localName}`;
    return [
      `if (${union}?.case === "${field.localName}") {`,
      ...indented(
        field.message === undefined
          ? [put(field.number, field, `${union}.value`, name)]
          : printChild(field.number, field.message, `${union}.value`, name),
      ),
      "}",
    ];
  }
  if (field.message !== undefined) {
    return [
      `if (${value} != null) {`,
      ...indented(printChild(field.number, field.message, value, name)),
      "}",
    ];
  }
  if (field.proto.proto3Optional) return [`if (${value} != null) ${put(field.number, field, value, name)}`];
  const { method, wireType } = scalarOf(field);
  return [`w.${method}(${tagOf(field.number, wireType)}, ${value}, ${name});`];
}

/**
 * @param {number} number
 * @param {DescMessage} message
 * @param {string} value
 * @param {string} name
 * @returns {string[]}
 */
function printChild(number, message, value, name) {
  const needsName = isWrapper(message) || isStruct(message);
  return [
    `const at = w.open(${tagOf(number, 2)}, ${name});`,
    `write${shapeName(message)}(w, ${value}${needsName ? `, ${name}` : ""});`,
    "w.close(at);",
  ];
}

/**
 * @param {DescField & { fieldKind: "list" }} field
 * @returns {string[]}
 */
function printScalars(field) {
  const name = fieldName(field);
  const list = `w.list(m.${field.localName}, ${name})`;
  const { wireType } = scalarOf(field);
  if (wireType === 2) return [`for (const item of ${list}) ${put(field.number, field, "item", name)}`];
  return [
    `if (${list}.length > 0) {`,
    `  const at = w.open(${tagOf(field.number, 2)}, ${name});`,
    `  for (const item of ${list}) w.${putMethod(scalarOf(field))}(0, item, ${name});`,
    "  w.close(at);",
    "}",
  ];
}

/**
 * @param {DescField & { fieldKind: "map" }} field
 * @returns {string[]}
 */
function printMap(field) {
  const name = fieldName(field);
  const { message } = field;
  return [
    `const ${field.localName} = w.map(m.${field.localName}, ${name});`,
    `for (const key of Object.keys(${field.localName})) {`,
    `  const entry = w.open(${tagOf(field.number, 2)}, ${name});`,
    `  ${put(1, { scalar: field.mapKey }, "key", name)}`,
    ...indented(
      message === undefined
        ? [put(2, field, `${field.localName}[key]`, name)]
        : printChild(2, message, `${field.localName}[key] as ${shapeName(message)}Init`, name),
    ),
    "  w.close(entry);",
    "}",
  ];
}

/**
 * @param {number} number
 * @param {{ scalar?: import("@bufbuild/protobuf").ScalarType | undefined }} of
 * @param {string} value
 * @param {string} name
 */
function put(number, of, value, name) {
  const scalar = scalarOf(of);
  return `w.${putMethod(scalar)}(${tagOf(number, scalar.wireType)}, ${value}, ${name});`;
}

/**
 * @param {DescMessage} message
 * @returns {string[]}
 */
function printWrapperWriter({ name, fields: [field] }) {
  if (field === undefined) throw new Error(`${name} wraps nothing`);
  const { method, type, wireType } = scalarOf(field);
  return [
    `export function write${name}(w: Writer, value: ${type}, field: string): void {`,
    `  w.${method}(${tagOf(1, wireType)}, value, field);`,
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

/** @param {string[]} lines */
function indented(lines) {
  return lines.map((line) => `  ${line}`);
}
