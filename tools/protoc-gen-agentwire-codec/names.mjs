// @ts-check
import { nestedTypes } from "@bufbuild/protobuf/reflect";

/**
 * @typedef {import("@bufbuild/protobuf").DescField} DescField
 * @typedef {import("@bufbuild/protobuf").DescFile} DescFile
 * @typedef {import("@bufbuild/protobuf").DescMessage} DescMessage
 */

/**
 * The name of a message's type in generated code: those of the messages around it come first.
 *
 * @param {DescMessage} message
 * @returns {string}
 */
export function shapeName(message) {
  return message.parent === undefined ? message.name : `${shapeName(message.parent)}_${message.name}`;
}

/**
 * What errors call a field, as a string literal.
 *
 * @param {DescField} field
 */
export function fieldName(field) {
  const { typeName, file } = field.parent;
  return JSON.stringify(`${typeName.slice(file.proto.package.length + 1)}.${field.localName}`);
}

/**
 * The messages of a file with the messages in them, but not the entries of maps.
 *
 * @param {DescFile} file
 * @returns {DescMessage[]}
 */
export function messagesOf(file) {
  return [...nestedTypes(file)].filter((type) => type.kind === "message");
}

/** @param {DescMessage} message */
export function isGoogle(message) {
  return message.file.proto.package === "google.protobuf";
}

/**
 * Messages that protobuf-es has in fields as the value they wrap.
 *
 * @param {DescMessage} message
 */
export function isWrapper(message) {
  return message.file.name === "google/protobuf/wrappers";
}

/** @param {DescMessage} message */
export function isStruct(message) {
  return message.typeName === "google.protobuf.Struct";
}
