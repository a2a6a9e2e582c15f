import { setEntry } from "./message-codec.js";
import type { Reader } from "./reader.js";
import type { Writer } from "./writer.js";

/** What a `google.protobuf.Value` holds. */
export type JsonValue = number | string | boolean | null | JsonObject | JsonValue[];

/** What a `google.protobuf.Struct` holds. */
export type JsonObject = { [key: string]: JsonValue };

/** Writes the fields of a `google.protobuf.Struct`. */
export function writeStruct(writer: Writer, json: JsonObject, field: string): void {
  for (const key of Object.keys(writer.map(json, field))) {
    const entry = writer.open(10, field);
    writer.putString(10, key, field);
    const start = writer.open(18, field);
    writeValue(writer, json[key], field);
    writer.close(start);
    writer.close(entry);
  }
}

/** Writes the fields of a `google.protobuf.Value`: none for what is not JSON. */
function writeValue(writer: Writer, json: JsonValue | undefined, field: string): void {
  if (json === null) writer.putInt32(8, 0, field);
  else if (typeof json === "number") writer.putDouble(17, json, field);
  else if (typeof json === "string") writer.putString(26, json, field);
  else if (typeof json === "boolean") writer.putBool(32, json, field);
  else if (typeof json === "object") {
    const start = writer.open(Array.isArray(json) ? 50 : 42, field);
    if (Array.isArray(json)) writeItems(writer, json, field);
    else writeStruct(writer, json, field);
    writer.close(start);
  }
}

function writeItems(writer: Writer, items: readonly JsonValue[], field: string): void {
  for (const item of items) {
    const start = writer.open(10, field);
    writeValue(writer, item, field);
    writer.close(start);
  }
}

/** Reads a `google.protobuf.Struct`. @param json what has been read of it so far */
export function readStruct(reader: Reader, end: number, json: JsonObject = {}): JsonObject {
  while (reader.more(end)) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) readEntry(reader, json);
    else reader.skip(tag);
  }
  return json;
}

function readEntry(reader: Reader, json: JsonObject): void {
  let key = "";
  let value: JsonValue = null;
  for (const end = reader.entry(); reader.within(end); ) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) key = reader.string();
    else if (tag >>> 3 === 2) value = readValue(reader, reader.open(), value);
    else reader.skip(tag);
  }
  setEntry(json, key, value);
}

function readValue(reader: Reader, end: number, former: JsonValue): JsonValue {
  let value = former;
  while (reader.more(end)) {
    const tag = reader.tag();
    switch (tag >>> 3) {
      case 1:
        reader.int32();
        value = null;
        break;
      case 2:
        value = reader.double();
        break;
      case 3:
        value = reader.string();
        break;
      case 4:
        value = reader.bool();
        break;
      case 5:
        value = readStruct(reader, reader.open(), isObject(value) ? value : {});
        break;
      case 6:
        value = readItems(reader, reader.open(), Array.isArray(value) ? value : []);
        break;
      default:
        reader.skip(tag);
    }
  }
  return value;
}

function readItems(reader: Reader, end: number, items: JsonValue[]): JsonValue[] {
  while (reader.more(end)) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) items.push(readValue(reader, reader.open(), null));
    else reader.skip(tag);
  }
  return items;
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
