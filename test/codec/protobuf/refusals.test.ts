import { create } from "@bufbuild/protobuf";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  ConnectionCodec,
  LogCodec,
  ManifestCodec,
  StatsCodec,
} from "../../../src/gen/coder/agent/v2/agent_codec.js";
import { ConnectionSchema, LogSchema } from "../../../src/gen/coder/agent/v2/agent_pb.js";
import { pairOf } from "./all-codecs.js";

/** Values that have another type than their field, or one that it has no room for. */
const wrong: [message: string, init: Record<string, unknown>, error: string][] = [
  ["agent.v2.Log", { output: 5 }, "output must be a string, not 5"],
  ["agent.v2.Log", { level: 1.5 }, "level must be an integer from -2147483648 to 2147483647, not 1.5"],
  [
    "agent.v2.Log",
    { level: 2 ** 31 },
    "level must be an integer from -2147483648 to 2147483647, not 2147483648",
  ],
  ["agent.v2.Log", { level: Number.NaN }, "level must be an integer from"],
  ["agent.v2.Log", { level: {} }, "level must be an integer from -2147483648 to 2147483647, not an object"],
  ["agent.v2.Log", { createdAt: "now" }, "createdAt must be a google.protobuf.Timestamp, not a string"],
  ["agent.v2.Log", { createdAt: 12 }, "createdAt must be a google.protobuf.Timestamp, not 12"],
  ["agent.v2.Log", { createdAt: { seconds: 2n ** 63n } }, "createdAt.seconds must be an integer of 64 bits"],
  ["agent.v2.Log", { createdAt: { seconds: 1.5 } }, "createdAt.seconds must be a bigint, not 1.5"],
  ["agent.v2.Log", { createdAt: { seconds: "soon" } }, "createdAt.seconds must be a bigint, not a string"],
  [
    "agent.v2.Log",
    { createdAt: create(LogSchema) },
    "createdAt must be a google.protobuf.Timestamp, not a coder.agent.v2.Log",
  ],
  ["agent.v2.BatchCreateLogsRequest", { logs: {} }, "logs must be an array, not an object"],
  ["agent.v2.BatchCreateLogsRequest", { logs: [null] }, "logs[0] must be a coder.agent.v2.Log, not null"],
  ["agent.v2.BatchCreateLogsRequest", { logs: [[]] }, "logs[0] must be a coder.agent.v2.Log, not an array"],
  [
    "agent.v2.BatchCreateLogsRequest",
    { logSourceId: "id" },
    "logSourceId must be a Uint8Array, not a string",
  ],
  ["agent.v2.Manifest", { gitAuthConfigs: -1 }, "gitAuthConfigs must be an integer from 0 to 4294967295"],
  ["agent.v2.Manifest", { disableDirectConnections: 1 }, "disableDirectConnections must be a boolean, not 1"],
  [
    "agent.v2.Manifest",
    { environmentVariables: ["A"] },
    "environmentVariables must be an object, not an array",
  ],
  ["agent.v2.Manifest", { environmentVariables: { A: 1 } }, "environmentVariables.A must be a string, not 1"],
  [
    "agent.v2.Stats",
    { connectionMedianLatencyMs: "1" },
    "connectionMedianLatencyMs must be a number, not a string",
  ],
  [
    "agent.v2.ContextResource",
    { sizeBytes: -1n },
    "sizeBytes must be an integer of 64 bits without a sign, not -1",
  ],
  ["agent.v2.Startup", { subsystems: [1, "x"] }, "subsystems[1] must be an integer from"],
  ["tailnet.v2.DERPMap", { regions: { one: {} } }, "regions must be a bigint, not a string"],
  ["tailnet.v2.Node", { derpForcedWebsocket: { x: "" } }, "derpForcedWebsocket must be an integer from"],
  ["tailnet.v2.TelemetryEvent", { throughputMbits: 1e39 }, "throughputMbits must be a number of 32 bits"],
];

describe("a codec refuses what has no place in a message", () => {
  it.each(wrong)("%s %o", (message, init, error) => {
    const { codec } = pairOf(`coder.${message}`);
    expect(() => codec.encode(init)).toThrow(error);
    // and nothing of it is in the next message
    expect(codec.encode({})).toHaveLength(0);
  });

  it("says the place in messages that are frozen, and in those of a class", () => {
    class Line {
      get output() {
        return 5;
      }
    }
    const { codec } = pairOf("coder.agent.v2.BatchCreateLogsRequest");
    const logs = Object.freeze([Object.freeze({ output: "fine" }), Object.freeze({ output: 5 })]);
    expect(() => codec.encode(Object.freeze({ logs }))).toThrow("logs[1].output must be a string, not 5");
    expect(() => codec.encode({ logs: [new Line()] })).toThrow("logs[0].output must be a string, not 5");
  });

  it("takes numbers and digits where they are exact", () => {
    const { codec } = pairOf("coder.agent.v2.Stats");
    expect(codec.encode({ rxBytes: 5, txBytes: "6" })).toStrictEqual(
      StatsCodec.encode({ rxBytes: 5n, txBytes: 6n }),
    );
    expect(pairOf("coder.agent.v2.Log").codec.encode({ level: "3" })).toStrictEqual(
      LogCodec.encode({ level: 3 }),
    );
  });

  it("takes lists of numbers as bytes, and null as absent", () => {
    const { codec } = pairOf("coder.agent.v2.Manifest");
    expect(codec.encode({ agentId: [1, 2], agentName: null, scripts: null, derpMap: null })).toStrictEqual(
      ManifestCodec.encode({ agentId: Uint8Array.of(1, 2) }),
    );
  });
});

describe("a codec refuses bytes", () => {
  const { codec } = pairOf("coder.agent.v2.Log");

  it.each([
    ["that end within a value", "120568656c6c", "premature EOF"],
    ["with the field 0", "0001", "illegal tag"],
    ["with a wire type that there is not", "0e", "illegal tag"],
    ["with a tag of more than 32 bits", "f2ffffff1f00", "illegal tag"],
    ["with a varint of more than ten bytes", `18${"80".repeat(10)}01`, "invalid varint"],
    ["with text that is not UTF-8", "1202c328", "not valid"],
    ["with long text that is not UTF-8", `1240${"61".repeat(63)}ff`, "not valid"],
    ["with the end of a group alone", "f407", "a group ends"],
    ["with a group that ends as another", "f307ec07", "ends as group"],
  ])("%s", (_, hex, error) => {
    expect(() => codec.decode(Buffer.from(hex, "hex"))).toThrow(error);
  });

  it("with messages deeper than a hundred", () => {
    const nested = (depth: number) => {
      let json: unknown = 1;
      for (let i = 0; i < depth; i++) json = [json];
      const tool = pairOf("coder.agent.v2.MCPTool").codec;
      return tool.decode(tool.encode({ inputSchema: { a: json } }));
    };
    expect(nested(48)).toBeDefined();
    expect(() => nested(49)).toThrow("maximum recursion depth of 100 reached");
  });
});

describe("a codec", () => {
  it("writes a message while it writes another", () => {
    const inner = () => ConnectionCodec.encode({ ip: "192.0.2.1" });
    const outer = {
      get output() {
        return Buffer.from(inner()).toString("hex");
      },
      level: 1,
    };
    expect(LogCodec.encode(outer)).toStrictEqual(
      LogCodec.encode({ output: Buffer.from(inner()).toString("hex"), level: 1 }),
    );
  });

  it("gives each message memory of its own", () => {
    const first = ConnectionCodec.encode({ ip: "192.0.2.1" });
    const copy = first.slice();
    ConnectionCodec.encode(create(ConnectionSchema, { ip: "203.0.113.9", reason: "x".repeat(300_000) }));
    expect(first).toStrictEqual(copy);
  });
});

describe("a codec where there is no Buffer", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.resetModules();
  });

  it.each([
    "",
    "ascii",
    "x".repeat(200),
    "é".repeat(70),
    "\ufeffmark",
    "\ufffd and more",
    "日本語 and \ud800",
  ])("reads and writes %j", async (output) => {
    const expected = LogCodec.encode({ output });
    vi.stubGlobal("Buffer", undefined);
    vi.resetModules();
    const portable = await import("../../../src/gen/coder/agent/v2/agent_codec.js");
    expect(portable.LogCodec.encode({ output })).toStrictEqual(expected);
    expect(portable.LogCodec.decode(expected).output).toBe(output.replace("\ud800", "\ufffd"));
    expect(() => portable.LogCodec.decode(Uint8Array.from([18, 2, 0xc3, 0x28]))).toThrow(TypeError);
  });
});
