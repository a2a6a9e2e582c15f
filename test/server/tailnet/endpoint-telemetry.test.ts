import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { type DERPMap, DERPMapSchema } from "../../../src/gen/coder/tailnet/v2/index_pb.js";
import type { UserConnectionRecord } from "../../../src/server/tailnet/telemetry-batch.js";
import type { TelemetryRecord } from "../../../src/store/index.js";
import { dialled, eventually } from "../../support/control-plane.js";
import { httpApi } from "../../support/http-api.js";
import { idBytes, tailnetProgram } from "../../support/tailnet.js";

const id = "0b7a1e2c-3d4f-4a5b-8c6d-7e8f90a1b2c3";

/** A control plane with what is told of users' connections, and of events. */
async function told() {
  const connections: UserConnectionRecord[] = [];
  const events: TelemetryRecord[] = [];
  const warnings: string[] = [];
  let nowUs = 1_000;
  const api = await httpApi(
    {},
    {
      nowUs: () => nowUs,
      log: { debug() {}, info() {}, error() {}, warn: (message) => void warnings.push(message) },
      tailnet: {
        telemetry: {
          send: (records) => void events.push(...records),
          onUserConnection: (record) => void connections.push(record),
        },
      },
    },
  );
  return { ...api, connections, events, warnings, setNowUs: (us: number) => (nowUs = us) };
}

const desktop = { device_id: "d1", device_os: "", coder_desktop_version: "0.9" };

describe("S4.31 a connection of a user's program", () => {
  it("is told when it begins and when it ends, with what its header says", async () => {
    const { plane, connections, setNowUs } = await told();
    const headers = { "Coder-Desktop-Telemetry": JSON.stringify(desktop) };
    const { session } = await tailnetProgram(plane, "tailnet", { headers });
    const record = {
      ...{ userId: "admin", peerId: expect.stringMatching(/^[0-9a-f-]{36}$/), connectedAtUs: 1_000 },
      ...{ deviceId: "d1", desktopVersion: "0.9" },
    };
    expect(connections).toEqual([record]);
    setNowUs(2_000);
    await session.close();
    await eventually(() => connections.length === 2, "the end");
    expect(connections[1]).toEqual({ ...record, disconnectedAtUs: 2_000 });
    expect(connections[1]?.peerId).toBe(connections[0]?.peerId);
  });

  it("is told to have ended when the server closes", async () => {
    const { plane, connections } = await told();
    await tailnetProgram(plane);
    await plane.api.close();
    expect(connections.map(({ disconnectedAtUs }) => disconnectedAtUs)).toEqual([undefined, 1_000]);
  });

  it("with a header that is malformed is logged, and goes on", async () => {
    const { plane, connections, warnings } = await told();
    await tailnetProgram(plane, "tailnet", { headers: { "Coder-Desktop-Telemetry": "{" } });
    expect(warnings).toEqual(["the header Coder-Desktop-Telemetry is malformed"]);
    expect(connections).toHaveLength(1);
  });

  it("is not told for one that is to a single agent", async () => {
    const { plane, agentId, connections } = await told();
    await tailnetProgram(plane, `workspaceagents/${agentId}/coordinate?version=2.0`);
    expect(connections).toEqual([]);
  });
});

describe("S4.7 events", () => {
  it("are of the user or of the agent who sent them", async () => {
    const { plane, agentId, events, connections } = await told();
    const program = await tailnetProgram(plane);
    await program.tailnet.postTelemetry({ events: [{ id: idBytes(id) }] });
    const one = await tailnetProgram(plane, `workspaceagents/${agentId}/coordinate?version=2.0`);
    await one.tailnet.postTelemetry({ events: [{ id: idBytes(id) }] });
    const agent = await dialled(plane);
    await agent.tailnet.postTelemetry({ events: [{ id: idBytes(id) }] });
    await plane.api.flush();
    expect(events).toMatchObject([
      { id, userId: "admin", agentId: undefined, peerId: connections[0]?.peerId },
      { id, userId: "admin", agentId },
      { id, userId: undefined, agentId, peerId: agentId },
    ]);
  });
});

describe("an embedded relay", () => {
  it("is where the program reached the server", async () => {
    const node = { name: "1", regionId: 1n, hostName: "inside.example.com", derpPort: 1 };
    const derpMap = () => ({ regions: { 1: { regionId: 1n, embeddedRelay: true, nodes: [node] } } });
    const { plane } = await httpApi({}, { derpMap: () => create(DERPMapSchema, derpMap()) });
    const headers = { Host: "relay.example.com:8443", "X-Forwarded-Proto": "https" };
    const { tailnet } = await tailnetProgram(plane, "tailnet", { headers });
    const { value } = await tailnet.streamDERPMaps({})[Symbol.asyncIterator]().next();
    expect((value as DERPMap).regions["1"]?.nodes[0]).toMatchObject({
      ...{ hostName: "relay.example.com", derpPort: 8443, forceHttp: false },
    });
  });
});
