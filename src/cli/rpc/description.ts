import {
  type DescEnum,
  type DescField,
  type DescMessage,
  type DescMethod,
  type JsonValue,
  ScalarType,
} from "@bufbuild/protobuf";
import { type ApiVersion, enumValueVersion, fieldVersion, formatVersion } from "../../version/index.js";
import { type Column, tableText } from "../table.js";
import { exampleJson } from "./example-json.js";
import { type DescType, isWellKnown, shortName, sinceOf, typesIn } from "./services.js";

/** A line of the list of RPCs. */
export interface MethodFacts {
  method: string;
  service: string;
  since: string;
  kind: string;
  request: string;
  response: string;
}

/** A field of a message. */
interface FieldFacts {
  name: string;
  number: number;
  type: string;
  /** The oneof that it is part of. */
  oneof?: string;
  since: string;
}

/** A message, or an enum with its values. */
interface TypeFacts {
  name: string;
  fields?: FieldFacts[];
  values?: { name: string; number: number; since: string }[];
}

/** All that is known of an RPC. */
export interface MethodDescription extends MethodFacts {
  /** A request with every field set. */
  example: JsonValue;
  types: TypeFacts[];
}

/** All that is known of a message or an enum. */
export interface TypeDescription extends TypeFacts {
  example?: JsonValue;
  /** What its fields have in them. */
  types: TypeFacts[];
}

/** What the list says of an RPC. */
export function methodFacts(method: DescMethod): MethodFacts {
  return {
    method: shortName(method),
    service: method.parent.typeName,
    since: shown(() => sinceOf(method)),
    kind: method.methodKind.replace("_", " "),
    request: method.input.typeName,
    response: method.output.typeName,
  };
}

/** An RPC, its messages, and an example. */
export function describeMethod(method: DescMethod): MethodDescription {
  const types = typesIn([method.input, method.output]);
  return { ...methodFacts(method), example: exampleJson(method.input), types: described(types) };
}

/** A message or an enum, and what is in it. */
export function describeType(type: DescType): TypeDescription {
  if (type.kind === "enum") return { ...typeFacts(type), types: [] };
  const [, ...inner] = typesIn([type]);
  return { ...typeFacts(type), example: exampleJson(type), types: described(inner) };
}

function described(types: readonly DescType[]): TypeFacts[] {
  return types.filter((type) => !isWellKnown(type)).map(typeFacts);
}

function typeFacts(type: DescType): TypeFacts {
  return type.kind === "enum"
    ? { name: type.typeName, values: enumValues(type) }
    : { name: type.typeName, fields: type.fields.map((field) => fieldFacts(type, field)) };
}

function enumValues(type: DescEnum) {
  return type.values.map(({ name, number }) => ({
    name,
    number,
    since: shown(() => enumValueVersion(type, number)),
  }));
}

function fieldFacts(parent: DescMessage, field: DescField): FieldFacts {
  return {
    name: field.jsonName,
    number: field.number,
    type: typeOf(field),
    ...(field.oneof === undefined ? {} : { oneof: field.oneof.name }),
    since: shown(() => fieldVersion(parent, field.localName)),
  };
}

/** A type as the schemas write it. */
function typeOf(field: DescField): string {
  const one = field.message?.typeName ?? field.enum?.typeName ?? scalarName(field.scalar);
  if (field.fieldKind === "list") return `repeated ${one}`;
  if (field.fieldKind === "map") return `map<${scalarName(field.mapKey)}, ${one}>`;
  return one;
}

function scalarName(scalar: ScalarType | undefined): string {
  return scalar === undefined ? "unknown" : ScalarType[scalar].toLowerCase();
}

/** A version as text; empty for what is not of the versioned packages. */
function shown(version: () => ApiVersion | undefined): string {
  try {
    const known = version();
    return known === undefined ? "" : formatVersion(known);
  } catch (error) {
    if (error instanceof TypeError) return "";
    throw error;
  }
}

const methodColumns: readonly Column<MethodFacts>[] = [
  { heading: "RPC", text: ({ method }) => method },
  { heading: "SINCE", text: ({ since }) => since },
  { heading: "KIND", text: ({ kind }) => kind },
  { heading: "REQUEST", text: ({ request }) => lastPart(request) },
  { heading: "RESPONSE", text: ({ response }) => lastPart(response) },
];

const fieldColumns: readonly Column<FieldFacts>[] = [
  { heading: "FIELD", text: ({ name }) => name },
  { heading: "TYPE", text: ({ type }) => type.replace(/[\w.]+\.(?=[A-Z])/g, lastPackage) },
  { heading: "SINCE", text: ({ since }) => since },
  { heading: "ONE OF", text: ({ oneof = "" }) => oneof },
];

const valueColumns: readonly Column<{ name: string; number: number; since: string }>[] = [
  { heading: "VALUE", text: ({ name }) => name },
  { heading: "NUMBER", text: ({ number }) => String(number) },
  { heading: "SINCE", text: ({ since }) => since },
];

/** The list of RPCs for people. */
export function methodTable(methods: readonly MethodFacts[]): string {
  return tableText(methodColumns, methods);
}

/** An RPC for people. */
export function methodText(facts: MethodDescription): string {
  const { service, method, kind, since, request, response, example, types } = facts;
  return [
    `${service}/${lastPart(method.replace("/", "."))}: ${kind}, since ${since}`,
    `request ${request}, response ${response}`,
    "",
    ...types.map(typeText),
    "example, with every field set:",
    `agentwire call ${method} '${JSON.stringify(example)}'`,
    "",
  ].join("\n");
}

/** A message or an enum for people. */
export function descriptionText({ example, types, ...type }: TypeDescription): string {
  const all = [type, ...types].map(typeText);
  return [...all, ...(example === undefined ? [] : ["example:", JSON.stringify(example), ""])].join("\n");
}

function typeText({ name, fields, values }: TypeFacts): string {
  if (values !== undefined) return `${name}\n${indented(tableText(valueColumns, values))}`;
  if (fields === undefined || fields.length === 0) return `${name}\n  (no fields)\n`;
  const columns = fields.some(({ oneof }) => oneof !== undefined) ? fieldColumns : fieldColumns.slice(0, -1);
  return `${name}\n${indented(tableText(columns, fields))}`;
}

function indented(table: string): string {
  return table.replace(/^(?=.)/gm, "  ");
}

/** Without the package: what begins with a small letter. */
function lastPackage(prefix: string): string {
  return prefix.replace(/^(?:[a-z0-9]+\.)+/, "");
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1);
}
