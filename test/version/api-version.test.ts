import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import {
  ManifestSchema,
  UpdateAppStatusRequest_AppStatusStateSchema,
  WorkspaceAgentDevcontainerSchema,
  WorkspaceApp_SharingLevelSchema,
} from "../../src/gen/coder/agent/v2/agent_pb.js";
import {
  apiMethods,
  checkVersion,
  enumValueVersion,
  fieldVersion,
  formatVersion,
  ladder,
  methodVersion,
  newestVersion,
  parseVersion,
  VersionError,
  versionHas,
  versionNamedIn,
} from "../../src/version/index.js";

const refusal = (text: string, served = newestVersion) => {
  try {
    checkVersion(text, served);
  } catch (error) {
    expect(error).toBeInstanceOf(VersionError);
    return (error as Error).message;
  }
  return undefined;
};

describe("S1.15–S1.18 versions in a request", () => {
  it.each(["2", "2.0.1", "abc", "", "2.0.", " "])("%j is no version", (text) => {
    expect(refusal(text)).toBe(`invalid version string: ${text}`);
  });

  it.each(["x.0", ".1", " 2.0", "0x2.0", "2_0.1", "9223372036854775808.0"])("%j has no major", (text) => {
    expect(refusal(text)).toBe(`invalid major version: ${text}`);
  });

  it.each(["2.x", "2.", "2.0 ", "2.-", "2.9223372036854775808"])("%j has no minor", (text) => {
    expect(refusal(text)).toBe(`invalid minor version: ${text}`);
  });

  it("refuses what is newer, and majors that are gone", () => {
    expect(refusal("3.0")).toBe("server is at version 2.10, behind requested major version 3.0");
    expect(refusal("2.11")).toBe("server is at version 2.10, behind requested minor version 2.11");
    expect(refusal("2.5", { major: 2, minor: 4 })).toBe(
      "server is at version 2.4, behind requested minor version 2.5",
    );
    expect(refusal("1.0")).toBe("version 1.0 is no longer supported");
    expect(refusal("0.9")).toBe("version 0.9 is no longer supported");
    expect(refusal("-1.0")).toBe("version -1.0 is no longer supported");
  });

  it.each(["2.0", "2.10", "02.00", "+2.+1", "2.-1", "2.010"])("%s is fine", (text) => {
    expect(refusal(text)).toBeUndefined();
  });

  it("reads and writes", () => {
    expect(parseVersion("+2.07")).toEqual({ major: 2, minor: 7 });
    expect(formatVersion({ major: 2, minor: 7 })).toBe("2.7");
  });

  it("finds the version that a server names in its refusal", () => {
    expect(versionNamedIn("server is at version 2.7, behind requested minor version 2.10")).toEqual({
      major: 2,
      minor: 7,
    });
    expect(versionNamedIn("version 2.10 is no longer supported")).toBeUndefined();
    expect(versionNamedIn("server is at version 2.x, behind requested minor version 2.10")).toBeUndefined();
  });
});

describe("what exists since when", () => {
  it("is known for each method", () => {
    expect(methodVersion("updateAppStatus")).toEqual({ major: 2, minor: 8 });
    expect(versionHas({ major: 2, minor: 7 }, "updateAppStatus")).toBe(false);
    expect(versionHas({ major: 2, minor: 8 }, "updateAppStatus")).toBe(true);
    expect(versionHas({ major: 2, minor: 2 }, "workspaceUpdates")).toBe(false);
  });

  it("is known for each method as a type too", () => {
    const { minor }: { minor: 8 } = methodVersion("updateAppStatus");
    expect(minor).toBe(8);
    expect(apiMethods).toHaveLength(24);
    expect(apiMethods.every((method) => methodVersion(method).minor <= newestVersion.minor)).toBe(true);
  });

  it("is known for each field: its own, or that of its message", () => {
    expect(fieldVersion(ManifestSchema, "agentName").minor).toBe(0);
    expect(fieldVersion(ManifestSchema, "secrets").minor).toBe(9);
    expect(fieldVersion(WorkspaceAgentDevcontainerSchema, "name").minor).toBe(4);
    expect(fieldVersion(WorkspaceAgentDevcontainerSchema, "subagentId").minor).toBe(8);
    expect(() => fieldVersion(ManifestSchema, "toString")).toThrow(
      new TypeError('coder.agent.v2.Manifest has no field "toString"'),
    );
    expect(() => fieldVersion(TimestampSchema, "nanos")).toThrow(
      new TypeError("google.protobuf.Timestamp is not of the versioned packages"),
    );
  });

  it("is known for each value of an enum, by name and by number", () => {
    expect(enumValueVersion(WorkspaceApp_SharingLevelSchema, "OWNER").minor).toBe(0);
    expect(enumValueVersion(WorkspaceApp_SharingLevelSchema, "ORGANIZATION").minor).toBe(6);
    expect(enumValueVersion(WorkspaceApp_SharingLevelSchema, 4).minor).toBe(6);
    expect(enumValueVersion(UpdateAppStatusRequest_AppStatusStateSchema, "IDLE").minor).toBe(8);
    expect(() => enumValueVersion(WorkspaceApp_SharingLevelSchema, 99)).toThrow(TypeError);
  });

  it("is a table of all 24 methods and 12 later additions, oldest first", () => {
    const table = ladder();
    expect(table.filter(({ kind }) => kind === "method")).toHaveLength(24);
    expect(table[0]).toEqual({
      kind: "method",
      parent: "coder.agent.v2.Agent",
      name: "GetManifest",
      since: { major: 2, minor: 0 },
    });
    expect(table.at(-1)).toEqual({
      kind: "method",
      parent: "coder.agent.v2.Agent",
      name: "PushContextState",
      since: newestVersion,
    });
    expect(table.find(({ name }) => name === "StreamDERPMaps")?.since.minor).toBe(0);
    expect(table).toContainEqual({
      kind: "field",
      parent: "coder.agent.v2.Manifest",
      name: "secrets",
      since: { major: 2, minor: 9 },
    });
    expect(table.filter(({ kind }) => kind === "enum value")).toEqual([
      {
        kind: "enum value",
        parent: "coder.agent.v2.WorkspaceApp.SharingLevel",
        name: "ORGANIZATION",
        since: { major: 2, minor: 6 },
      },
    ]);
  });
});
