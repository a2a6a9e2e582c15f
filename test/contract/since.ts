import {
  type DescEnum,
  type DescEnumValue,
  type DescField,
  type DescMessage,
  type DescMethod,
  getOption,
  hasOption,
  type Registry,
} from "@bufbuild/protobuf";
import {
  enum_since,
  enum_value_since,
  field_since,
  message_since,
  method_since,
} from "../../src/gen/agentwire/options/v1/since_pb.js";
import { enumSince, enumValueSince, fieldSince, messageSince, methodSince } from "../../src/gen/versions.js";
import { contract, generated, schemas } from "./contract.js";

/** Minors of API 2.x, by the kind and full name of what they are about. */
export type Since = Record<string, number>;

type Table = Readonly<Record<string, number>>;
type Tables = Readonly<Record<string, Table>>;

/** As contract.json has it. */
export function sinceByContract(): Since {
  const since: Since = {};
  const kinds = [
    ["rpc", contract.services],
    ["field", contract.messages],
    ["value", contract.enums],
  ] as const;
  for (const [kind, types] of kinds) {
    for (const [typeName, members] of Object.entries(types)) {
      for (const member of members) {
        if (member.since !== undefined) {
          since[`${kind} ${typeName}.${member.name}`] = member.since;
        }
      }
    }
  }
  for (const [typeName, minor] of Object.entries(contract.messagesSince)) {
    since[`message ${typeName}`] = minor;
  }
  for (const [typeName, minor] of Object.entries(contract.enumsSince)) {
    since[`enum ${typeName}`] = minor;
  }
  return since;
}

/** As the options in the schemas have it, with what is inherited. */
export function sinceByOptions(): Since {
  return collect(schemas, {
    method: (desc) => (hasOption(desc, method_since) ? getOption(desc, method_since) : undefined),
    message: messageOption,
    field: (desc) =>
      hasOption(desc, field_since) ? getOption(desc, field_since) : messageOption(desc.parent),
    enum: enumOption,
    value: (desc) =>
      hasOption(desc, enum_value_since) ? getOption(desc, enum_value_since) : enumOption(desc.parent),
  });
}

/** As src/gen/versions.ts has it, with what is inherited. */
export function sinceByVersions(): Since {
  const methods: Tables = methodSince;
  const messages: Table = messageSince;
  const fields: Tables = fieldSince;
  const enums: Table = enumSince;
  const values: Tables = enumValueSince;
  return collect(generated, {
    method: (desc) => methods[desc.parent.typeName]?.[desc.localName],
    message: (desc) => messages[desc.typeName],
    field: ({ parent, localName }) => fields[parent.typeName]?.[localName] ?? messages[parent.typeName],
    enum: (desc) => enums[desc.typeName],
    value: ({ parent, localName }) => values[parent.typeName]?.[localName] ?? enums[parent.typeName],
  });
}

function messageOption(desc: DescMessage): number | undefined {
  if (hasOption(desc, message_since)) {
    return getOption(desc, message_since);
  }
  return desc.parent && messageOption(desc.parent);
}

function enumOption(desc: DescEnum): number | undefined {
  if (hasOption(desc, enum_since)) {
    return getOption(desc, enum_since);
  }
  return desc.parent && messageOption(desc.parent);
}

/** How to find the minor of each kind of thing; undefined where it has none. */
interface Lookup {
  method(desc: DescMethod): number | undefined;
  message(desc: DescMessage): number | undefined;
  field(desc: DescField): number | undefined;
  enum(desc: DescEnum): number | undefined;
  value(desc: DescEnumValue): number | undefined;
}

/** Asks for everything in the packages, so what should have no minor is seen if it has one. */
function collect(types: Registry, lookup: Lookup): Since {
  const since: Since = {};
  const add = (name: string, minor: number | undefined) => {
    if (minor !== undefined) {
      since[name] = minor;
    }
  };
  for (const desc of types) {
    switch (desc.kind) {
      case "service":
        for (const method of desc.methods) {
          add(`rpc ${desc.typeName}.${method.name}`, lookup.method(method));
        }
        break;
      case "message":
        add(`message ${desc.typeName}`, lookup.message(desc));
        for (const field of desc.fields) {
          add(`field ${desc.typeName}.${field.name}`, lookup.field(field));
        }
        break;
      case "enum":
        add(`enum ${desc.typeName}`, lookup.enum(desc));
        for (const value of desc.values) {
          add(`value ${desc.typeName}.${value.name}`, lookup.value(value));
        }
        break;
    }
  }
  return since;
}
