import type { DescEnum, DescMessage } from "@bufbuild/protobuf";
import {
  enumSince,
  enumValueSince,
  fieldSince,
  messageSince,
  methodSince,
  newestMinor,
} from "../gen/versions.js";
import { type ApiVersion, apiMajor } from "./api-version.js";

type AgentMethods = (typeof methodSince)["coder.agent.v2.Agent"];
type TailnetMethods = (typeof methodSince)["coder.tailnet.v2.Tailnet"];

/** Minors of API 2.x that this library knows, as types. */
type MinorsUpTo<M extends number, Known extends number[] = []> = Known["length"] extends M
  ? Known[number] | M
  : MinorsUpTo<M, [...Known, Known["length"]]>;

/** A minor of API 2.x. */
export type ApiMinor = MinorsUpTo<typeof newestMinor>;

/** A version of the API as text: `"2.0"` to `"2.10"`. */
export type ApiVersionText = `${typeof apiMajor}.${ApiMinor}`;

/** The minor of a version as text. */
export type MinorOf<V extends ApiVersionText> = V extends `${number}.${infer M extends ApiMinor}` ? M : never;

/** Names of a table whose minor is at most `M`. */
type NamesUpTo<Table, M extends ApiMinor> = {
  [Name in keyof Table]: Table[Name] extends MinorsUpTo<M> ? Name : never;
}[keyof Table];

/** Methods of `coder.agent.v2.Agent` that a version promises. */
export type AgentMethodsOf<V extends ApiVersionText> = NamesUpTo<AgentMethods, MinorOf<V>>;

/** Methods of `coder.tailnet.v2.Tailnet` that a version promises. */
export type TailnetMethodsOf<V extends ApiVersionText> = NamesUpTo<TailnetMethods, MinorOf<V>>;

/** Any method of the two services, by its local name. */
export type ApiMethod = keyof AgentMethods | keyof TailnetMethods;

const sinceByMethod: Readonly<Record<string, number>> = {
  ...methodSince["coder.agent.v2.Agent"],
  ...methodSince["coder.tailnet.v2.Tailnet"],
};

/** The first version that promises a method, as a type. */
export interface MethodVersion<M extends ApiMethod> extends ApiVersion {
  readonly major: typeof apiMajor;
  readonly minor: (AgentMethods & TailnetMethods)[M];
}

/** The first version that promises a method. */
export function methodVersion<M extends ApiMethod>(method: M): MethodVersion<M> {
  return { major: apiMajor, minor: (sinceByMethod[method] ?? newestMinor) as MethodVersion<M>["minor"] };
}

type Minors = Readonly<Record<string, number | undefined>>;

/**
 * The first version that promises a field: that of its message, unless the field came later.
 * @param field by its local name, such as `parentId`.
 * @throws TypeError when the message is not of the versioned packages, or has no such field.
 */
export function fieldVersion(schema: DescMessage, field: string): ApiVersion {
  if (!Object.hasOwn(schema.field, field)) throw new TypeError(`${schema.typeName} has no field "${field}"`);
  return versionOf(schema.typeName, field, fieldSince, messageSince);
}

/**
 * The first version that promises a value of an enum: that of the enum, unless the value came later.
 * @param value by its local name, such as `ORGANIZATION`, or its number.
 * @throws TypeError when the enum is not of the versioned packages, or has no such value.
 */
export function enumValueVersion(schema: DescEnum, value: string | number): ApiVersion {
  const found = schema.values.find(({ localName, number }) => localName === value || number === value);
  if (found === undefined) throw new TypeError(`${schema.typeName} has no value ${value}`);
  return versionOf(schema.typeName, found.localName, enumValueSince, enumSince);
}

function versionOf(
  typeName: string,
  part: string,
  partSince: Readonly<Record<string, Minors>>,
  typeSince: Minors,
): ApiVersion {
  const minor = partSince[typeName]?.[part] ?? typeSince[typeName];
  if (minor === undefined) throw new TypeError(`${typeName} is not of the versioned packages`);
  return { major: apiMajor, minor };
}

/** True when a version promises a method. A server may have it earlier. */
export function versionHas(version: ApiVersion, method: ApiMethod): boolean {
  return version.minor >= methodVersion(method).minor;
}

/** All methods of the two versioned services, by their local names, in the order of the schemas. */
export const apiMethods: readonly ApiMethod[] = Object.keys(sinceByMethod) as ApiMethod[];

/** One line of the table of what exists since when. */
export interface LadderEntry {
  kind: "method" | "field" | "enum value";
  /** Full name of the service, message or enum that it is part of. */
  parent: string;
  /** A method by its name on the wire; a field or value by its local name. */
  name: string;
  since: ApiVersion;
}

/** All methods of the versioned services, and what is newer than its message or enum; oldest first. */
export function ladder(): LadderEntry[] {
  const tables = [
    { kind: "method", table: methodSince },
    { kind: "field", table: fieldSince },
    { kind: "enum value", table: enumValueSince },
  ] as const;
  const entries = tables.flatMap(({ kind, table }) =>
    Object.entries<Readonly<Record<string, number>>>(table).flatMap(([parent, minors]) =>
      Object.entries(minors).map(([localName, minor]): LadderEntry => {
        const name = kind === "method" ? wireName(localName) : localName;
        return { kind, parent, name, since: { major: apiMajor, minor } };
      }),
    ),
  );
  return entries.sort((a, b) => a.since.minor - b.since.minor);
}

function wireName(localName: string): string {
  return localName.charAt(0).toUpperCase() + localName.slice(1);
}
