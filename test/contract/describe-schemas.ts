import {
  type DescEnum,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescMethod,
  ScalarType,
} from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";

/** Facts in words, by the kind and full name of what they are about. */
export type Facts = Record<string, string>;

/** Everything that travels: methods, messages, fields, enums and their values. */
export function describeTypes(files: Iterable<DescFile>): Facts {
  const facts: Facts = {};
  for (const desc of typesOf(files)) {
    switch (desc.kind) {
      case "service":
        for (const method of desc.methods) {
          facts[`rpc ${desc.typeName}.${method.name}`] = describeMethod(method);
        }
        break;
      case "message":
        facts[`message ${desc.typeName}`] = "is there";
        for (const field of desc.fields) {
          facts[`field ${desc.typeName}.${field.name}`] = describeField(field);
        }
        break;
      case "enum":
        facts[`enum ${desc.typeName}`] = desc.open ? "open" : "closed";
        for (const value of desc.values) {
          facts[`value ${desc.typeName}.${value.name}`] = String(value.number);
        }
        break;
    }
  }
  return facts;
}

/** What a schema says beyond the types: the order of methods, reserved numbers and names. */
export function describeLayout(files: Iterable<DescFile>): Facts {
  const facts: Facts = {};
  for (const desc of typesOf(files)) {
    if (desc.kind === "service") {
      facts[`order ${desc.typeName}`] = desc.methods.map((method) => method.name).join(", ");
    } else if (desc.kind !== "extension") {
      facts[`reserved ${desc.typeName}`] = describeReserved(desc);
    }
  }
  return facts;
}

function* typesOf(files: Iterable<DescFile>) {
  for (const file of files) {
    // A descriptor set brings the google.protobuf types along, which are not ours to describe.
    if (file.proto.package.startsWith("coder.")) {
      yield* file.services;
      yield* nestedTypes(file);
    }
  }
}

function describeMethod(method: DescMethod): string {
  return `${method.methodKind} (${method.input.typeName}) returns (${method.output.typeName})`;
}

function describeField(field: DescField): string {
  const words = [`${field.number}`, describeType(field), `json ${field.jsonName}`];
  if (field.proto.proto3Optional) {
    words.push("optional");
  }
  if (field.oneof !== undefined) {
    words.push(`oneof ${field.oneof.name}`);
  }
  if (field.fieldKind === "list" && field.packed) {
    words.push("packed");
  }
  return words.join(", ");
}

function describeType(field: DescField): string {
  switch (field.fieldKind) {
    case "map":
      return `map<${ScalarType[field.mapKey]}, ${describeElement(field)}>`;
    case "list":
      return `repeated ${describeElement(field)}`;
    default:
      return describeElement(field);
  }
}

function describeElement(field: DescField): string {
  if (field.message !== undefined) {
    return field.message.typeName;
  }
  if (field.enum !== undefined) {
    return field.enum.typeName;
  }
  return ScalarType[field.scalar];
}

function describeReserved({ proto }: DescMessage | DescEnum): string {
  const ranges = proto.reservedRange.map((range) => `${range.start}..${range.end}`);
  return [...ranges, ...proto.reservedName].join(", ");
}
