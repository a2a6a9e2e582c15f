import { setEntry } from "./message-codec.js";
import type { Reader } from "./reader.js";
import type { Writer } from "./writer.js";

/** What a `google.protobuf.Value` holds. */
export type JsonValue = number | string | boolean | null | JsonObject | JsonValue[];

/** What a `google.protobuf.Struct` holds. */
export type JsonObject = { [key: string]: JsonValue };

/** Writes a `google.protobuf.Struct`. */
export function writeStruct(writer: Writer, json: JsonObject, tag: number): void {
  const start = writer.open(tag);
  for (const key of Object.keys(writer.map(json))) {
    const entry = writer.open(10);
    writer.putString(10, key);
    writeValue(writer, json[key], 18);
    writer.close(entry);
  }
  writer.close(start);
}

/** Writes a `google.protobuf.Value`: an empty one for what is not JSON. */
function writeValue(writer: Writer, json: JsonValue | undefined, tag: number): void {
  const start = writer.open(tag);
  if (json === null) writer.putInt32(8, 0);
  else if (typeof json === "number") writer.putDouble(17, json);
  else if (typeof json === "string") writer.putString(26, json);
  else if (typeof json === "boolean") writer.putBool(32, json);
  else if (Array.isArray(json)) writeItems(writer, json, 50);
  else if (typeof json === "object") writeStruct(writer, json, 42);
  writer.close(start);
}

function writeItems(writer: Writer, items: readonly JsonValue[], tag: number): void {
  const start = writer.open(tag);
  for (const item of items) writeValue(writer, item, 10);
  writer.close(start);
}

/** Reads a `google.protobuf.Struct`. @param json what has been read of it so far */
export function readStruct(reader: Reader, json: JsonObject = {}, end: number = reader.open()): JsonObject {
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
    else if (tag >>> 3 === 2) value = readValue(reader, value);
    else reader.skip(tag);
  }
  setEntry(json, key, value);
}

function readValue(reader: Reader, former: JsonValue, end: number = reader.open()): JsonValue {
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
        value = readStruct(reader, isObject(value) ? value : {});
        break;
      case 6:
        value = readItems(reader, Array.isArray(value) ? value : []);
        break;
      default:
        reader.skip(tag);
    }
  }
  return value;
}

function readItems(reader: Reader, items: JsonValue[], end: number = reader.open()): JsonValue[] {
  while (reader.more(end)) {
    const tag = reader.tag();
    if (tag >>> 3 === 1) items.push(readValue(reader, null));
    else reader.skip(tag);
  }
  return items;
}

function isObject(value: JsonValue): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
