import { type DescMessage, fromJson, toJson } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { exampleJson } from "../../src/cli/rpc/example-json.js";
import { allMethods, shortName, typesIn } from "../../src/cli/rpc/services.js";
import { withUuidBytes } from "../../src/cli/uuid-fields.js";
import { shellCommands } from "../support/shell-words.js";
import { toolResult } from "../support/terminal.js";

const call = (...args: string[]) => toolResult(["call", ...args]);

describe("call --list", () => {
  it("shows every RPC with its version and kind, without a control plane", async () => {
    const { exitCode, stdout, stderr } = await call("--list");
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const [heading = "", ...lines] = stdout.trimEnd().split("\n");
    expect(heading.split(/ +/)).toEqual(["RPC", "SINCE", "KIND", "REQUEST", "RESPONSE"]);
    expect(lines.map((line) => line.split(" ")[0])).toEqual(allMethods.map(shortName));
    expect(stdout).toMatch(
      /^Agent\/UpdateAppStatus +2\.8 +unary +UpdateAppStatusRequest +UpdateAppStatusResponse$/m,
    );
    expect(stdout).toMatch(/^Tailnet\/Coordinate +2\.0 +bidi streaming +/m);
  });

  it("shows those whose name has a text, in whatever case, and refuses with 2 what none has", async () => {
    const { stdout } = await call("--list", "DERPmaps");
    expect(stdout.trimEnd().split("\n").slice(1)).toEqual([
      expect.stringMatching("^Tailnet/StreamDERPMaps "),
    ]);
    expect(await call("--list", "nonsense")).toMatchObject({
      exitCode: 2,
      stderr: `agentwire: no RPC has "nonsense" in its name; there are ${allMethods.length}\n`,
    });
  });

  it("prints a line of JSON for each with --json", async () => {
    const { stdout } = await call("--list", "agent/updateappstatus", "--json");
    expect(stdout.split("\n")).toHaveLength(2);
    expect(JSON.parse(stdout)).toEqual({
      method: "Agent/UpdateAppStatus",
      service: "coder.agent.v2.Agent",
      since: "2.8",
      kind: "unary",
      request: "coder.agent.v2.UpdateAppStatusRequest",
      response: "coder.agent.v2.UpdateAppStatusResponse",
    });
  });
});

describe("call --describe", () => {
  it("shows an RPC: fields, types, versions, and an example that can be called", async () => {
    const { exitCode, stdout } = await call("--describe", "Agent/UpdateAppStatus");
    expect(exitCode).toBe(0);
    expect(stdout).toContain("coder.agent.v2.Agent/UpdateAppStatus: unary, since 2.8\n");
    expect(stdout).toMatch(/^ {2}slug +string +2\.8$/m);
    expect(stdout).toMatch(/^ {2}state +UpdateAppStatusRequest\.AppStatusState +2\.8$/m);
    expect(stdout).toMatch(/^ {2}WORKING +0 +2\.8$/m);
    const [[, ...args] = []] = shellCommands(stdout.trimEnd().split("\n").at(-1) ?? "");
    // nothing listens there, so that the request is known to be right before it fails
    const { exitCode: code, stderr } = await toolResult([
      ...args,
      "--url",
      "http://127.0.0.1:9",
      "--token",
      "t",
    ]);
    expect(code).toBe(1);
    expect(JSON.parse(stderr)).toMatchObject({ code: "unavailable", layer: "dial" });
  });

  it("tells fields that came later than their message", async () => {
    const { stdout } = await call("--describe", "Manifest");
    expect(stdout).toMatch(/^ {2}agentName +string +2\.0$/m);
    expect(stdout).toMatch(/^ {2}parentId +bytes +2\.5( .*)?$/m);
    expect(stdout).toMatch(/^ {2}environmentVariables +map<string, string> +2\.0/m);
    expect(stdout).toMatch(/^ {2}apps +repeated WorkspaceApp +2\.0/m);
  });

  it("prints JSON with --json, of an RPC, a message and an enum", async () => {
    const json = async (name: string) =>
      JSON.parse((await call("--describe", name, "--json")).stdout) as Record<string, unknown>;
    const rpc = await json("Agent/GetManifest");
    expect(rpc).toMatchObject({ method: "Agent/GetManifest", example: {}, kind: "unary" });
    expect(rpc["types"]).toContainEqual(expect.objectContaining({ name: "coder.agent.v2.Manifest" }));
    expect(await json("coder.agent.v2.WorkspaceApp")).toMatchObject({
      name: "coder.agent.v2.WorkspaceApp",
      fields: expect.arrayContaining([{ name: "slug", number: 4, type: "string", since: "2.0" }]),
    });
    expect(await json("WorkspaceApp.SharingLevel")).toMatchObject({
      values: expect.arrayContaining([{ name: "ORGANIZATION", number: 4, since: "2.6" }]),
    });
  });

  it.each([
    ["Agent/Dance", 'has no method "Dance"'],
    ["Dance", 'there is no RPC and no message "Dance"; agentwire call --list shows the RPCs'],
    ["Status", '"Status" may be one of '],
  ])("refuses %s with 2", async (name, said) => {
    const { exitCode, stderr } = await call("--describe", name);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(said);
  });

  it("needs a name, and is not for a list", async () => {
    expect(await call("--describe")).toMatchObject({ exitCode: 2 });
    expect(await call("--describe", "--list")).toMatchObject({ exitCode: 2 });
    expect(await call("--describe", "Manifest", "more")).toMatchObject({ exitCode: 2 });
  });
});

describe("an example of a message", () => {
  const messages = typesIn(allMethods.flatMap(({ input, output }) => [input, output])).filter(
    (type): type is DescMessage => type.kind === "message" && !type.typeName.startsWith("google."),
  );

  it.each(messages)("is JSON of it, with every field that it has: $typeName", (schema) => {
    const json = exampleJson(schema);
    const message = fromJson(schema, withUuidBytes(schema, json));
    expect(Object.keys(toJson(schema, message) as object).sort()).toEqual(Object.keys(json).sort());
  });
});
