import { expect, it } from "vitest";
import { describeWithGo, type Facts } from "../support/go-peer.js";
import { agentRpc, goCall, goDial, goRefusal } from "./support/go-client.js";
import { uuidB64, Workspace } from "./support/workspace.js";

const someId = "11111111-2222-4333-8444-555555555555";
const shortId = Buffer.from("abc").toString("base64");
const nilId = uuidB64("00000000-0000-0000-0000-000000000000");
const now = "2026-09-01T10:20:30Z";
const goZero = "0001-01-01T00:00:00Z";

/** A script timing that is right but for some members. */
const timing = (change: Facts) => ({
  timing: { scriptId: uuidB64(someId), start: now, end: now, ...change },
});
const connection = (change: Facts) => ({
  connection: { id: uuidB64(someId), action: "CONNECT", type: "SSH", timestamp: now, ...change },
});
const context = (...resources: Facts[]) => ({ version: "1", resources });
const file = { source: "a", status: "OK", instructionFile: { content: "" } };
const nameRegex = '"(?i)^[a-z0-9](-?[a-z0-9])*$"';
const whatContext = "agentapi: PushContextState";

const refusals: [rule: string, method: string, request: Facts, text: string][] = [
  ["S3.9 no lifecycle", "UpdateLifecycle", {}, "lifecycle is required"],
  [
    "S3.35 a state of zero",
    "UpdateLifecycle",
    { lifecycle: { changedAt: now } },
    'unknown lifecycle state "STATE_UNSPECIFIED"',
  ],
  [
    "S3.35 a state that nobody knows",
    "UpdateLifecycle",
    { lifecycle: { state: -999, changedAt: now } },
    'unknown lifecycle state "-999"',
  ],
  ["S3.9 no startup", "UpdateStartup", {}, "startup is required"],
  ["S3.40 no version", "UpdateStartup", { startup: {} }, 'invalid agent semver version ""'],
  [
    "S3.40 a version without v",
    "UpdateStartup",
    { startup: { version: "1.2.3" } },
    'invalid agent semver version "1.2.3"',
  ],
  [
    "S3.40 a subsystem of zero",
    "UpdateStartup",
    { startup: { version: "v1", subsystems: ["ENVBOX", "SUBSYSTEM_UNSPECIFIED"] } },
    'invalid agent subsystem "SUBSYSTEM_UNSPECIFIED"',
  ],
  [
    "S3.44 an id that is no UUID",
    "BatchUpdateAppHealths",
    { updates: [{ id: shortId, health: "HEALTHY" }] },
    'parse workspace app ID "abc": invalid UUID (got 3 bytes)',
  ],
  [
    "S3.44 an app of nobody",
    "BatchUpdateAppHealths",
    { updates: [{ id: uuidB64(someId), health: "HEALTHY" }] },
    `workspace app ID "${someId}" not found`,
  ],
  [
    "S3.51 a message of 161 bytes",
    "UpdateAppStatus",
    { slug: "web", message: `${"ü".repeat(80)}x` },
    "unexpected status code 400: Message is too long.\n\tError: Message must be less than 160 characters.\n\tmessage: Message must be less than 160 characters.",
  ],
  [
    "S3.51 a state that nobody knows",
    "UpdateAppStatus",
    { slug: "web", state: 77 },
    'unexpected status code 400: Invalid state provided.\n\tError: invalid state: "77"\n\tstate: State must be one of: complete, failure, working, idle.',
  ],
  [
    "S3.51 a slug that nobody has",
    "UpdateAppStatus",
    { slug: 'x"y' },
    'unexpected status code 400: Failed to get workspace app.\n\tError: No app found with slug "x\\"y"',
  ],
  [
    "S3.9 metadata without a result",
    "BatchUpdateMetadata",
    { metadata: [{ key: "cpu" }] },
    "metadata result is required",
  ],
  [
    "S3.60 too many bytes of keys",
    "BatchUpdateMetadata",
    { metadata: [6000, 145].map((length) => ({ key: "k".repeat(length), result: {} })) },
    "metadata keys of 6145 bytes exceeded 6144 bytes",
  ],
  [
    "S3.76 a log source that is no UUID",
    "BatchCreateLogs",
    { logSourceId: shortId, logs: [{ output: "x" }] },
    'parse log source ID "abc": invalid UUID (got 3 bytes)',
  ],
  [
    "S3.77 no log source",
    "BatchCreateLogs",
    { logs: [{ output: "x" }] },
    'parse log source ID "": invalid UUID (got 0 bytes)',
  ],
  ["S3.84 no timing", "ScriptCompleted", {}, "script timing is required"],
  [
    "S3.84 a script id that is no UUID",
    "ScriptCompleted",
    timing({ scriptId: shortId }),
    "script id from bytes: invalid UUID (got 3 bytes)",
  ],
  [
    "S3.84 no start",
    "ScriptCompleted",
    timing({ start: null }),
    "script start time is required and cannot be zero",
  ],
  [
    "S3.84 an end of zero",
    "ScriptCompleted",
    timing({ end: goZero }),
    "script end time is required and cannot be zero",
  ],
  [
    "S3.84 an end before the start",
    "ScriptCompleted",
    timing({ end: "2026-09-01T10:20:29.999Z" }),
    "script start time cannot be after end time",
  ],
  ["S3.87 no connection", "ReportConnection", {}, "connection id from bytes: invalid UUID (got 0 bytes)"],
  ["S3.87 a nil id", "ReportConnection", connection({ id: nilId }), "connection ID cannot be nil"],
  [
    "S3.87 an action of zero",
    "ReportConnection",
    connection({ action: 0 }),
    'unknown agent connection action "ACTION_UNSPECIFIED"',
  ],
  [
    "S3.87 a type that nobody knows",
    "ReportConnection",
    connection({ type: 99 }),
    'unknown agent connection type "99"',
  ],
  [
    "S3.92 a display app that nobody knows",
    "CreateSubAgent",
    { name: "child", displayApps: ["VSCODE", 9999] },
    'field: display_apps[1] detail: "9999" is not a valid display app',
  ],
  ["S3.94 no name", "CreateSubAgent", {}, "field: name detail: agent name cannot be empty"],
  [
    "S3.94 a bad name",
    "CreateSubAgent",
    { name: "a b" },
    `field: name detail: agent name "a b" does not match regex ${nameRegex}`,
  ],
  [
    "S3.94 a name that is taken",
    "CreateSubAgent",
    { name: "second" },
    'insert sub agent: pq: workspace agent name "second" already exists in this workspace build',
  ],
  ["S3.93 an empty id", "CreateSubAgent", { id: "" }, "parse agent id: invalid UUID (got 0 bytes)"],
  [
    "S3.93 an id of nobody",
    "CreateSubAgent",
    { id: uuidB64(someId) },
    "get workspace agent by id: sql: no rows in result set",
  ],
  ["S3.100 an id that is no UUID", "DeleteSubAgent", { id: shortId }, "invalid UUID (got 3 bytes)"],
  ["S3.100 an id of nobody", "DeleteSubAgent", { id: uuidB64(someId) }, "sql: no rows in result set"],
  [
    "S3.103 too many entries",
    "ReportBoundaryLogs",
    { logs: Array.from({ length: 1001 }, () => ({})) },
    "batch size 1001 exceeds maximum of 1000",
  ],
  [
    "S3.109 a version of 64 bits",
    "PushContextState",
    { version: "9223372036854775808" },
    `${whatContext} version 9223372036854775808 exceeds int64 range`,
  ],
  [
    "S3.109 a long hash",
    "PushContextState",
    { aggregateHash: Buffer.alloc(65).toString("base64") },
    `${whatContext} aggregate hash is 65 bytes, exceeds 64 byte cap`,
  ],
  [
    "S3.109 a resource without a source",
    "PushContextState",
    context(file, { ...file, source: "" }),
    `${whatContext} resource at index 1 has empty source`,
  ],
  [
    "S3.109 the same source twice",
    "PushContextState",
    context(file, file),
    `${whatContext} duplicate source "a"`,
  ],
  [
    "S3.109 a resource without a body",
    "PushContextState",
    context({ source: "a", status: "OVERSIZE" }),
    'resource "a": missing body variant; status OVERSIZE requires a typed body',
  ],
  [
    "S3.109 a status of zero",
    "PushContextState",
    context({ ...file, status: 0 }),
    'resource "a": unknown status 0',
  ],
];

describeWithGo("S3.8 what a Go client is refused, with code 0 and the text of the reference server", () => {
  it.each(refusals)("%s: %s", async (_rule, method, request, text) => {
    const workspace = await Workspace.start();
    expect(await workspace.refusal(method, request)).toEqual({ text, code: undefined });
    expect(await workspace.call("GetManifest")).toMatchObject({ agentName: "main" });
  });

  it("S3.44 health of an app without a check, or unspecified: nothing is written", async () => {
    const workspace = await Workspace.start();
    const [web, plain] = [await workspace.appId("web"), await workspace.appId("plain")];
    const update = (id: string, health: unknown) => ({ id: uuidB64(id), health });
    const send = (...updates: unknown[]) => workspace.refusal("BatchUpdateAppHealths", { updates });
    expect(await send(update(web, "HEALTHY"), update(plain, "HEALTHY"))).toEqual({
      text: `workspace app "${plain}" ("plain") does not have healthchecks enabled`,
      code: undefined,
    });
    expect((await send(update(web, "HEALTHY"), update(web, 0))).text).toBe(
      `unknown health status "APP_HEALTH_UNSPECIFIED" for app "${web}" ("web")`,
    );
    const apps = await workspace.plane.store.apps(workspace.agentId);
    expect(apps.find(({ slug }) => slug === "web")?.health).toBe("initializing");
  });

  it("S3.93 an agent that is not below the caller is not the caller's to change", async () => {
    const workspace = await Workspace.start();
    const other = workspace.plane.agents[1]?.id ?? "";
    expect(await workspace.refusal("CreateSubAgent", { id: uuidB64(other) })).toEqual({
      text: "subagent does not belong to this parent agent",
      code: undefined,
    });
  });

  it("S3.3 an agent that is gone: its sessions go on, and are told so", async () => {
    const workspace = await Workspace.start();
    const { id } = (await workspace.call("CreateSubAgent", { name: "child" }))["agent"] as { id: string };
    const childId = (await workspace.plane.store.subAgents(workspace.agentId))[0];
    const child = await goDial(workspace.peer, workspace.plane, { token: childId?.authToken });
    await workspace.call("DeleteSubAgent", { id });
    const gone = `get workspace agent by id "${childId?.id}": sql: no rows in result set`;
    const refused = (method: string, json: Facts = {}) =>
      goRefusal(goCall(workspace.peer, child, agentRpc(method), json));
    expect(await refused("GetManifest")).toEqual({
      text: `getting workspace agent: ${gone}`,
      code: undefined,
    });
    expect((await refused("UpdateLifecycle", { lifecycle: { state: "READY" } })).text).toBe(gone);
    expect((await refused("ListSubAgents")).text).toBe(`get parent agent: ${gone}`);
  });

  it("S7.6 a request that does not decode fails its call only", async () => {
    const workspace = await Workspace.start();
    const { peer, handle } = workspace;
    const invalidUtf8 = Buffer.from("0a0412020aff", "hex").toString("base64");
    for (const bodyB64 of ["/w==", invalidUtf8]) {
      const bad = peer.do("call", { handle, rpc: agentRpc("UpdateStartup"), bodyB64, timeoutMs: 5000 });
      const { text } = await goRefusal(bad);
      expect(text).not.toContain("startup is required");
      expect(String(text)).not.toMatch(/deadline|canceled|closed/);
    }
    expect(await workspace.call("GetManifest")).toMatchObject({ agentName: "main" });
  });
});
