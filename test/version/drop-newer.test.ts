import { create, equals, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  CreateSubAgentRequestSchema,
  GetManifestRequestSchema,
  ManifestSchema,
  MCPServerBodySchema,
  PushContextStateRequestSchema,
  ReportBoundaryLogsRequestSchema,
  WorkspaceApp_SharingLevel as SharingLevel,
  UpdateStatsRequestSchema,
} from "../../src/gen/coder/agent/v2/agent_pb.js";
import { DERPMapSchema } from "../../src/gen/coder/tailnet/v2/derp_map_pb.js";
import { Droppers, dropNewer } from "../../src/version/drop-newer.js";
import { newestVersion } from "../../src/version/index.js";

const bytes = new Uint8Array([1]);

const manifest = () =>
  create(ManifestSchema, {
    agentName: "main",
    parentId: bytes,
    apps: [
      { slug: "a", hidden: true, sharingLevel: SharingLevel.ORGANIZATION },
      { slug: "b", sharingLevel: SharingLevel.OWNER },
    ],
    scripts: [{ displayName: "Start", id: bytes, script: "echo" }],
    devcontainers: [{ name: "dc", subagentId: bytes }],
    secrets: [{ envName: "A", value: bytes }],
  });

describe("what a minor does not have yet", () => {
  it("is taken out of a manifest, at every depth", () => {
    const minors = [2, 3, 4, 5, 6, 8, 9];
    const shown = minors.map((minor) => {
      const dropped = dropNewer(ManifestSchema, minor)?.(manifest()) ?? manifest();
      const [app] = dropped.apps;
      return [
        minor,
        app?.hidden,
        dropped.scripts[0]?.displayName,
        dropped.devcontainers.length,
        dropped.parentId,
        app?.sharingLevel,
        dropped.devcontainers[0]?.subagentId,
        dropped.secrets.length,
      ];
    });
    const { UNSPECIFIED, ORGANIZATION } = { UNSPECIFIED: 0, ORGANIZATION: SharingLevel.ORGANIZATION };
    expect(shown).toEqual([
      [2, false, "", 0, undefined, UNSPECIFIED, undefined, 0],
      [3, true, "Start", 0, undefined, UNSPECIFIED, undefined, 0],
      [4, true, "Start", 1, undefined, UNSPECIFIED, undefined, 0],
      [5, true, "Start", 1, bytes, UNSPECIFIED, undefined, 0],
      [6, true, "Start", 1, bytes, ORGANIZATION, undefined, 0],
      [8, true, "Start", 1, bytes, ORGANIZATION, bytes, 0],
      [9, true, "Start", 1, bytes, ORGANIZATION, bytes, 1],
    ]);
  });

  it("leaves all else as it was", () => {
    const dropped = dropNewer(ManifestSchema, 0)?.(manifest());
    expect(dropped).toMatchObject({
      agentName: "main",
      apps: [{ slug: "a" }, { slug: "b", sharingLevel: SharingLevel.OWNER }],
      scripts: [{ script: "echo" }],
    });
  });

  it("is not taken out of the message that was given, only out of a copy", () => {
    const given = manifest();
    const dropped = dropNewer(ManifestSchema, 0)?.(given);
    expect(dropped).not.toBe(given);
    expect(equals(ManifestSchema, given, manifest())).toBe(true);
    // what has nothing newer is shared
    expect(dropped?.apps[1]).toBe(given.apps[1]);
  });

  it("leaves a message as it is that has nothing of it", () => {
    const given = create(ManifestSchema, { agentName: "main", apps: [{ slug: "a" }] });
    expect(dropNewer(ManifestSchema, 0)?.(given)).toBe(given);
  });

  it("is taken out of requests", () => {
    const boundary = create(ReportBoundaryLogsRequestSchema, {
      sessionId: "s",
      confinedProcessName: "p",
      logs: [{ allowed: true, sequenceNumber: 7 }],
    });
    expect(dropNewer(ReportBoundaryLogsRequestSchema, 8)?.(boundary)).toEqual(
      create(ReportBoundaryLogsRequestSchema, { logs: [{ allowed: true }] }),
    );
    const subAgent = create(CreateSubAgentRequestSchema, { name: "sub", id: bytes });
    const dropped = dropNewer(CreateSubAgentRequestSchema, 7)?.(subAgent);
    expect(dropped).toEqual(create(CreateSubAgentRequestSchema, { name: "sub" }));
    expect(dropNewer(CreateSubAgentRequestSchema, 8)).toBeUndefined();
  });

  it("costs nothing for messages that have nothing newer, also those that hold themselves", () => {
    expect(dropNewer(GetManifestRequestSchema, 0)).toBeUndefined();
    expect(dropNewer(UpdateStatsRequestSchema, 0)).toBeUndefined();
    expect(dropNewer(PushContextStateRequestSchema, 0)).toBeUndefined();
    expect(dropNewer(ManifestSchema, newestVersion.minor)).toBeUndefined();
    expect(dropNewer(ManifestSchema, 5)).toBe(dropNewer(ManifestSchema, 5));
  });
});

describe("with other tables", () => {
  const map = () =>
    create(DERPMapSchema, {
      homeParams: { regionScore: { 1: 0.5 } },
      regions: { 1: { regionId: 1n, nodes: [{ name: "n", hostName: "h" }] }, 2: { regionId: 2n } },
    });

  it("takes fields out of the messages of a map", () => {
    const droppers = new Droppers({
      fields: { "coder.tailnet.v2.DERPMap.Region": { nodes: 9 } },
      enumValues: {},
    });
    const given = map();
    const dropped = droppers.dropper(DERPMapSchema, 8)?.(given);
    expect(dropped?.regions[1]?.nodes).toEqual([]);
    expect(dropped?.regions[2]).toBe(given.regions[2]);
    expect(given.regions[1]?.nodes).toHaveLength(1);
  });

  it("takes out maps and messages as a whole", () => {
    const droppers = new Droppers({
      fields: { "coder.tailnet.v2.DERPMap": { homeParams: 3, regions: 4 } },
      enumValues: {},
    });
    expect(toBinary(DERPMapSchema, droppers.dropper(DERPMapSchema, 2)?.(map()) ?? map())).toHaveLength(0);
    expect(droppers.dropper(DERPMapSchema, 3)?.(map())).toMatchObject({ homeParams: {}, regions: {} });
  });

  it("takes the choice out of a oneof, and what is in the choice", () => {
    const request = () =>
      create(PushContextStateRequestSchema, {
        resources: [
          { body: { case: "skill", value: { name: "s", description: "d" } } },
          { body: { case: "mcpServer", value: { serverName: "m", tools: [{ name: "t" }] } } },
        ],
      });
    const droppers = new Droppers({
      fields: {
        "coder.agent.v2.ContextResource": { skill: 4 },
        "coder.agent.v2.MCPTool": { name: 5 },
      },
      enumValues: {},
    });
    const dropped = droppers.dropper(PushContextStateRequestSchema, 3)?.(request());
    expect(dropped?.resources.map(({ body }) => body.case)).toEqual([undefined, "mcpServer"]);
    expect(dropped?.resources[1]?.body.value).toMatchObject({ serverName: "m", tools: [{ name: "" }] });
    const later = droppers.dropper(PushContextStateRequestSchema, 4)?.(request());
    expect(later?.resources[0]?.body.case).toBe("skill");
    expect(droppers.dropper(MCPServerBodySchema, 5)).toBeUndefined();
  });

  it("sets enum values of lists to 0 too", () => {
    const droppers = new Droppers({
      fields: {},
      enumValues: { "coder.agent.v2.CreateSubAgentRequest.DisplayApp": { VSCODE_INSIDERS: 7 } },
    });
    const request = create(CreateSubAgentRequestSchema, { displayApps: [0, 1, 2] });
    expect(droppers.dropper(CreateSubAgentRequestSchema, 6)?.(request).displayApps).toEqual([0, 0, 2]);
  });
});
