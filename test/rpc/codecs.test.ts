import { create, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { joinCodecs } from "../../src/codec/index.js";
import { agentCallerCodecs, agentCodecs } from "../../src/gen/coder/agent/v2/agent_codec.js";
import {
  BatchCreateLogsRequestSchema,
  ManifestSchema,
  UpdateStatsRequestSchema,
} from "../../src/gen/coder/agent/v2/agent_pb.js";
import { tailnetCallerCodecs } from "../../src/gen/coder/tailnet/v2/tailnet_codec.js";
import { CoordinateRequestSchema } from "../../src/gen/coder/tailnet/v2/tailnet_pb.js";
import { decodeMessage, encodeMessage } from "../../src/rpc/method.js";

const init = { logs: [{ output: "started", createdAt: { seconds: 5n } }] };
const bytes = toBinary(BatchCreateLogsRequestSchema, create(BatchCreateLogsRequestSchema, init));

describe("messages of calls", () => {
  it("are written by codecs that know them, and else by protobuf-es", () => {
    for (const codecs of [agentCodecs, agentCallerCodecs, tailnetCallerCodecs, undefined]) {
      expect(encodeMessage(BatchCreateLogsRequestSchema, init, 1000, "/a.B/C", codecs)).toStrictEqual(bytes);
    }
  });

  it("are read by codecs that do so, and else by protobuf-es", () => {
    for (const codecs of [agentCodecs, agentCallerCodecs, undefined]) {
      expect(decodeMessage(BatchCreateLogsRequestSchema, bytes, codecs)).toStrictEqual(
        create(BatchCreateLogsRequestSchema, init),
      );
    }
  });

  it("that are not there are empty", () => {
    const nothing = undefined as unknown as object;
    expect(encodeMessage(UpdateStatsRequestSchema, nothing, 1000, "/a.B/C", agentCodecs)).toHaveLength(0);
  });

  it("that cannot be written fail with the name of the field", () => {
    const wrong = { logs: [{ output: 5 as unknown as string }] };
    expect(() => encodeMessage(BatchCreateLogsRequestSchema, wrong, 1000, "/a.B/C", agentCodecs)).toThrow(
      expect.objectContaining({
        code: Code.InvalidArgument,
        rawMessage:
          "/a.B/C: cannot encode coder.agent.v2.BatchCreateLogsRequest: Log.output must be a string, not 5",
      }),
    );
  });
});

describe("tables of codecs", () => {
  it("for callers go one way", () => {
    expect(Object.keys(agentCallerCodecs.get(BatchCreateLogsRequestSchema) ?? {})).toEqual(["encode"]);
    expect(Object.keys(agentCallerCodecs.get(ManifestSchema) ?? {})).toEqual(["decode"]);
  });

  it("become one, with both ways where one table has the one and another the other", () => {
    const { encode } = agentCodecs.get(ManifestSchema) ?? {};
    const joined = joinCodecs(
      agentCallerCodecs,
      tailnetCallerCodecs,
      new Map([[ManifestSchema, encode === undefined ? {} : { encode }]]),
    );
    expect(Object.keys(joined.get(ManifestSchema) ?? {}).sort()).toEqual(["decode", "encode"]);
    expect(joined.has(CoordinateRequestSchema)).toBe(true);
  });
});
