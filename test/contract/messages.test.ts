import { createRegistry, type DescMessage, fromBinary, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
import * as wkt from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { file_coder_agent_v2_agent } from "../../src/gen/coder/agent/v2/agent_pb.js";
import { file_coder_agentsocket_v1_agentsocket } from "../../src/gen/coder/agentsocket/v1/agentsocket_pb.js";
import { file_coder_boundarylogproxy_codec_v1_boundary } from "../../src/gen/coder/boundarylogproxy/codec/v1/boundary_pb.js";
import {
  file_coder_tailnet_v2_derp_map,
  file_coder_tailnet_v2_tailnet,
} from "../../src/gen/coder/tailnet/v2/index_pb.js";
import { hex, recorded, vectors } from "../support/vectors.js";

interface Recorded {
  type: string;
  name: string;
  hex: string;
  json: unknown;
}
interface Valid extends Recorded {
  hexByNumber?: string;
  /** Why the value has no JSON form. */
  jsonError?: string;
  /** Fields that are not in the type: JSON leaves them out. */
  unknown?: boolean;
  /** A map of several entries: their order may differ. */
  maps?: boolean;
}
interface DecodeOnly extends Recorded {
  reencoded: string;
  /** A known field under another wire type: some readers refuse it. */
  mayRefuse?: boolean;
}
interface Invalid extends Recorded {
  error: string;
  /** A varint with bits beyond the 64th: some readers take it. */
  mayAccept?: boolean;
}

const recordings = vectors<{ messages: Valid[]; decodeOnly: DecodeOnly[]; invalid: Invalid[] }>("messages");

const registry = createRegistry(
  file_coder_agent_v2_agent,
  file_coder_agentsocket_v1_agentsocket,
  file_coder_boundarylogproxy_codec_v1_boundary,
  file_coder_tailnet_v2_derp_map,
  file_coder_tailnet_v2_tailnet,
  wkt.file_google_protobuf_duration,
  wkt.file_google_protobuf_empty,
  wkt.file_google_protobuf_struct,
  wkt.file_google_protobuf_timestamp,
  wkt.file_google_protobuf_wrappers,
);

function schemaOf(type: string): DescMessage {
  const schema = registry.getMessage(type);
  if (schema === undefined) throw new Error(`no schema for ${type}`);
  return schema;
}

/** JSON with the keys in order and numbers as 32-bit floats: the shortest text of a float is one of several. */
function comparable(json: unknown): unknown {
  if (typeof json === "number") return Number.isSafeInteger(json) ? json : Math.fround(json);
  if (Array.isArray(json)) return json.map(comparable);
  if (typeof json !== "object" || json === null) return json;
  const entries = Object.entries(json).map(([key, value]) => [key, comparable(value)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** One test for each type: there are 2,000 recordings. */
function byType<T extends Recorded>(list: readonly T[]): [string, T[]][] {
  const types = new Map<string, T[]>();
  for (const entry of list) types.set(entry.type, [...(types.get(entry.type) ?? []), entry]);
  return [...types];
}

describe("W6 messages recorded from the Go library", () => {
  it.each(byType(recordings.messages))("%s: read, written and shown as JSON the same", (type, messages) => {
    const schema = schemaOf(type);
    for (const { name, hex: bytes, hexByNumber, json, jsonError, maps } of messages) {
      const message = fromBinary(schema, recorded(bytes));
      const written = toBinary(schema, message);
      if (maps) expect(hex(toBinary(schema, fromBinary(schema, written))), name).toBe(hex(written));
      else expect([bytes, hexByNumber], name).toContain(hex(written));
      if (jsonError !== undefined) {
        expect(() => toJson(schema, message, { registry }), name).toThrow();
        continue;
      }
      expect(comparable(toJson(schema, message, { registry })), name).toEqual(comparable(json));
      const again = fromJson(schema, json as never, { registry, ignoreUnknownFields: true });
      expect(comparable(toJson(schema, again, { registry })), name).toEqual(comparable(json));
    }
  });

  it.each(byType(recordings.decodeOnly))("%s: read from encodings that nobody writes", (type, messages) => {
    const schema = schemaOf(type);
    for (const { name, hex: bytes, reencoded, mayRefuse } of messages) {
      try {
        expect(hex(toBinary(schema, fromBinary(schema, recorded(bytes)))), name).toBe(reencoded);
      } catch (error) {
        if (!mayRefuse) throw error;
      }
    }
  });

  it.each(byType(recordings.invalid))("%s: refused where the reference refuses", (type, messages) => {
    const schema = schemaOf(type);
    for (const { name, hex: bytes, error, mayAccept } of messages) {
      if (mayAccept) continue;
      expect(() => fromBinary(schema, recorded(bytes)), `${name}: ${error}`).toThrow();
    }
  });
});
