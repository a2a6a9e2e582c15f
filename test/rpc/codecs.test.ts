import { create, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { joinCodecs } from "../../src/codec/index.js";
import { agentCallerCodecs, agentCodecs } from "../../src/gen/coder/agent/v2/agent_codec.js";
import {
  Agent,
  BatchCreateLogsRequestSchema,
  ManifestSchema,
} from "../../src/gen/coder/agent/v2/agent_pb.js";
import { tailnetCallerCodecs } from "../../src/gen/coder/tailnet/v2/tailnet_codec.js";
import { CoordinateRequestSchema } from "../../src/gen/coder/tailnet/v2/tailnet_pb.js";
import { callerSide, handlerSide } from "../../src/rpc/method.js";

const init = { logs: [{ output: "started", createdAt: { seconds: 5n } }] };
const bytes = toBinary(BatchCreateLogsRequestSchema, create(BatchCreateLogsRequestSchema, init));

const { batchCreateLogs, updateStats } = Agent.method;

describe("messages of calls", () => {
  it("are written by codecs that know them, and else by protobuf-es", () => {
    for (const codecs of [agentCodecs, agentCallerCodecs, tailnetCallerCodecs, undefined]) {
      expect(callerSide(batchCreateLogs, codecs).encode(init, 1000)).toStrictEqual(bytes);
    }
  });

  it("are read by codecs that do so, and else by protobuf-es", () => {
    for (const codecs of [agentCodecs, agentCallerCodecs, undefined]) {
      const read = handlerSide(batchCreateLogs, codecs).decode(bytes);
      expect(read).toStrictEqual(create(BatchCreateLogsRequestSchema, init));
    }
  });

  it("that are not there are empty", () => {
    const nothing = undefined as unknown as object;
    expect(callerSide(updateStats, agentCodecs).encode(nothing, 1000)).toHaveLength(0);
  });

  it("that cannot be written fail with the name of the field", () => {
    const wrong = { logs: [{ output: 5 as unknown as string }] };
    expect(() => callerSide(batchCreateLogs, agentCodecs).encode(wrong, 1000)).toThrow(
      expect.objectContaining({
        code: Code.InvalidArgument,
        rawMessage:
          "/coder.agent.v2.Agent/BatchCreateLogs: cannot encode coder.agent.v2.BatchCreateLogsRequest: logs[0].output must be a string, not 5",
      }),
    );
  });

  it("that are over the limit fail, with what they are over", () => {
    expect(() => callerSide(batchCreateLogs, agentCodecs).encode(init, 10)).toThrow(
      `BatchCreateLogsRequest is ${bytes.length} bytes, over the limit of 10 bytes; send it in parts`,
    );
  });

  it("have each their own bytes where those of two are kept", () => {
    const codec = agentCodecs.get(BatchCreateLogsRequestSchema);
    const first = codec?.encode?.(init);
    codec?.encode?.({ logs: [{ output: "another" }] });
    expect(first).toStrictEqual(bytes);
  });
});

describe("tables of codecs", () => {
  it("for callers go one way", () => {
    expect(Object.keys(agentCallerCodecs.get(BatchCreateLogsRequestSchema) ?? {})).toEqual([
      "encode",
      "encodeForCopying",
    ]);
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
