import { type DescField, type DescMessage, type JsonValue, ScalarType } from "@bufbuild/protobuf";
import { parseUuid } from "../codec/index.js";

const uuidForm = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * JSON of a message in which the bytes of ids may be written as UUIDs, as they are everywhere else: in base64, as
 * protobuf wants them. A text of that form could be base64 by itself, but of no 16 bytes.
 */
export function withUuidBytes(schema: DescMessage, json: JsonValue): JsonValue {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return json;
  const fields = new Map<string, DescField>();
  for (const field of schema.fields) fields.set(field.jsonName, field).set(field.name, field);
  return Object.fromEntries(
    Object.entries(json).map(([name, value]) => {
      const field = fields.get(name);
      return [name, field === undefined ? value : fieldJson(field, value)];
    }),
  );
}

function fieldJson(field: DescField, value: JsonValue): JsonValue {
  if (field.fieldKind === "list" && Array.isArray(value)) return value.map((one) => partJson(field, one));
  return field.fieldKind === "map" ? value : partJson(field, value);
}

function partJson(field: DescField, value: JsonValue): JsonValue {
  if (field.message !== undefined) return withUuidBytes(field.message, value);
  if (field.scalar !== ScalarType.BYTES || !/(^|_)ids?$/.test(field.name)) return value;
  const bytes = typeof value === "string" && uuidForm.test(value) ? parseUuid(value) : undefined;
  return bytes === undefined ? value : Buffer.from(bytes).toString("base64");
}
