// @ts-check
import { readFileSync } from "node:fs";
import { equals, fromBinary, isFieldSet } from "@bufbuild/protobuf";
import {
  FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import ts from "typescript";

/**
 * @typedef {import("@bufbuild/protobuf/wkt").DescriptorProto} DescriptorProto
 * @typedef {import("@bufbuild/protobuf/wkt").EnumDescriptorProto} EnumDescriptorProto
 * @typedef {import("@bufbuild/protobuf/wkt").FieldDescriptorProto} FieldDescriptorProto
 * @typedef {import("@bufbuild/protobuf/wkt").FileDescriptorProto} FileDescriptorProto
 * @typedef {import("@bufbuild/protobuf/wkt").ServiceDescriptorProto} ServiceDescriptorProto
 */

/** What reads the text: the function of the package. */
const { descriptorOf } = await readerOfText();

/**
 * A descriptor as the text that `descriptorOf` of src/codec/protobuf/schema-text.ts reads.
 *
 * @param {Uint8Array} descriptor
 * @returns {string | undefined} undefined when it has something that the text cannot say
 */
export function schemaText(descriptor) {
  const file = fromBinary(FileDescriptorProtoSchema, descriptor);
  const text = printFile(file);
  const read = fromBinary(FileDescriptorProtoSchema, Buffer.from(descriptorOf(text), "base64"));
  return equals(FileDescriptorProtoSchema, read, file) ? text : undefined;
}

/** @param {FileDescriptorProto} file */
function printFile({ name, package: pkg, messageType, enumType, service }) {
  return [
    `${name} ${pkg}`,
    ...messageType.flatMap((message) => printMessage(message, `.${pkg}.`, `.${pkg}.${message.name}`)),
    ...enumType.map(printEnum),
    ...service.map((each) => printService(each, `.${pkg}.`)),
  ].join("\n");
}

/**
 * @param {DescriptorProto} message
 * @param {string} scope of the file
 * @param {string} path of the message
 * @returns {string[]}
 */
function printMessage(message, scope, path) {
  const isEntry = (/** @type {DescriptorProto} */ { options }) => options?.mapEntry === true;
  const entries = new Map(
    message.nestedType.filter(isEntry).map((entry) => [`${path}.${entry.name}`, entry.field]),
  );
  const words = message.field.map((field, index) => {
    const before = message.field[index - 1]?.number ?? 0;
    const [key, value] = entries.get(field.typeName) ?? [];
    const type =
      key && value
        ? `${printType(key, scope, field.typeName)}:${printType(value, scope, field.typeName)}`
        : labelOf(field) + printType(field, scope, path);
    return `${printName(field, before, message)}${type === "i" ? "" : `:${type}`}`;
  });
  const within = [
    ...message.nestedType
      .filter((nested) => !isEntry(nested))
      .flatMap((nested) => printMessage(nested, scope, `${path}.${nested.name}`)),
    ...message.enumType.map(printEnum),
    ...message.reservedRange.map(({ start, end }) => `-${start} ${end}`),
  ];
  return [[message.name, ...words].join(" "), ...within.map((line) => ` ${line}`)];
}

/**
 * @param {FieldDescriptorProto} field
 * @param {number} before the number of the field before
 * @param {DescriptorProto} message
 */
function printName(field, before, { oneofDecl }) {
  const { name, number, oneofIndex, proto3Optional } = field;
  const isInOneof = !proto3Optional && isFieldSet(field, FieldDescriptorProtoSchema.field.oneofIndex);
  const oneof = isInOneof ? `|${oneofDecl[oneofIndex]?.name}` : "";
  return `${camelCase(name)}${number === before + 1 ? "" : `=${number}`}${oneof}`;
}

/**
 * `its_name` as `itsName`, but only if that can be read back: not `port_80`, and not what begins with a capital.
 *
 * @param {string} name
 */
function camelCase(name) {
  const isPlain = /^[a-z][a-z0-9]*(_[a-z][a-z0-9]*)*$/.test(name);
  return isPlain ? name.replace(/_./g, ([, letter = ""]) => letter.toUpperCase()) : name;
}

/** @param {FieldDescriptorProto} field */
function labelOf({ proto3Optional, label }) {
  if (proto3Optional) return "?";
  return label === Label.REPEATED ? "*" : "";
}

/**
 * @param {FieldDescriptorProto} field
 * @param {string} scope of the file
 * @param {string} path of the message
 */
function printType({ type, typeName }, scope, path) {
  if (type !== Type.MESSAGE && type !== Type.ENUM) return String.fromCharCode(96 + type);
  const isWithin = typeName.startsWith(`${path}.`);
  const name = isWithin ? `~${typeName.slice(path.length + 1)}` : relative(typeName, scope);
  return type === Type.ENUM ? `%${name}` : name;
}

/** @param {EnumDescriptorProto} of */
function printEnum({ name, value }) {
  const values = value.map(({ name, number }, index) => {
    const before = value[index - 1]?.number ?? -1;
    return `${name.toLowerCase()}${number === before + 1 ? "" : `=${number}`}`;
  });
  return [`[${name}`, ...values].join(" ");
}

/**
 * @param {ServiceDescriptorProto} service
 * @param {string} scope
 */
function printService({ name, method }, scope) {
  const methods = method.map(({ name, inputType, outputType, clientStreaming, serverStreaming }) => {
    const shown = (/** @type {string} */ type, /** @type {string} */ usual) =>
      type === scope + usual ? "" : relative(type, scope);
    const input = (clientStreaming ? "*" : "") + shown(inputType, `${name}Request`);
    const output = (serverStreaming ? "*" : "") + shown(outputType, `${name}Response`);
    return `${name}:${input}:${output}`.replace(/:+$/, "");
  });
  return [`<${name}`, ...methods].join(" ");
}

/**
 * @param {string} typeName
 * @param {string} scope
 */
function relative(typeName, scope) {
  return typeName.startsWith(scope) ? typeName.slice(scope.length) : typeName;
}

/** @returns {Promise<typeof import("../../src/codec/protobuf/schema-text.js")>} */
async function readerOfText() {
  const source = readFileSync(new URL("../../src/codec/protobuf/schema-text.ts", import.meta.url), "utf8");
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  });
  return import(`data:text/javascript,${encodeURIComponent(outputText)}`);
}
