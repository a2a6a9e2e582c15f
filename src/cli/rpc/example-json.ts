import {
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  ScalarType,
} from "@bufbuild/protobuf";

const exampleUuid = "00000000-0000-4000-8000-000000000001";

/** What JSON has for messages that are written in a way of their own. */
const wellKnown: Readonly<Record<string, JsonValue>> = {
  "google.protobuf.Timestamp": "2026-01-31T12:00:00Z",
  "google.protobuf.Duration": "1.5s",
  "google.protobuf.Empty": {},
  "google.protobuf.BoolValue": true,
  "google.protobuf.FloatValue": 1.5,
  "google.protobuf.Struct": {},
};

/**
 * JSON of a message with every field set to something, so that what can be set is seen: of each oneof its first field,
 * of lists and maps one entry, of enums the first value that says something. A message in itself ends it.
 */
export function exampleJson(schema: DescMessage, around: readonly DescMessage[] = []): JsonObject {
  const example: JsonObject = {};
  for (const field of schema.fields) {
    if (field.oneof !== undefined && field.oneof.fields[0] !== field) continue;
    if (field.message !== undefined && [...around, schema].includes(field.message)) continue;
    example[field.jsonName] = fieldExample(field, [...around, schema]);
  }
  return example;
}

function fieldExample(field: DescField, around: readonly DescMessage[]): JsonValue {
  const value = valueExample(field, around);
  if (field.fieldKind === "list") return [value];
  return field.fieldKind === "map" ? { [mapKey(field.mapKey)]: value } : value;
}

function mapKey(scalar: ScalarType): string {
  if (scalar === ScalarType.STRING) return "key";
  return scalar === ScalarType.BOOL ? "true" : "1";
}

function valueExample(field: DescField, around: readonly DescMessage[]): JsonValue {
  if (field.message !== undefined)
    return wellKnown[field.message.typeName] ?? exampleJson(field.message, around);
  if (field.enum !== undefined) {
    return (field.enum.values.find(({ number }) => number !== 0) ?? field.enum.values[0])?.name ?? 0;
  }
  return scalarExample(field);
}

function scalarExample({ name, scalar }: DescField): JsonValue {
  switch (scalar) {
    case ScalarType.STRING:
      return "text";
    case ScalarType.BOOL:
      return true;
    case ScalarType.BYTES:
      return /(^|_)ids?$/.test(name) ? exampleUuid : "AQID";
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return 1.5;
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      // protobuf's JSON has them as text: not every reader has numbers that large
      return "1";
    default:
      return 1;
  }
}
