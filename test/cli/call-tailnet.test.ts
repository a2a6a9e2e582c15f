import { describe, expect, it } from "vitest";
import { withUuidBytes } from "../../src/cli/uuid-fields.js";
import { CoordinateRequestSchema } from "../../src/gen/coder/tailnet/v2/tailnet_pb.js";
import { controlPlane, eventually, token } from "../support/control-plane.js";
import { fileWith } from "../support/files.js";
import { tool, toolResult } from "../support/terminal.js";

const adminToken = "the-token-of-an-admin";
const unknownAgent = "00000000-0000-4000-8000-000000000001";

async function server() {
  const plane = await controlPlane({}, { adminToken });
  return { plane, agentId: plane.agents[0]?.id ?? "" };
}

describe("agentwire call --tailnet", () => {
  it("calls as a user's program, with the admin token of a control plane", async () => {
    const { plane } = await server();
    const run = tool([
      ...["call", "--tailnet", "Tailnet/RefreshResumeToken"],
      ...["--url", plane.url, "--token", adminToken],
    ]);
    expect(await run.exitCode).toBe(0);
    expect(JSON.parse(run.stdout())).toMatchObject({
      token: expect.stringMatching(/^ey/),
      refreshIn: "43200s",
    });
    expect(plane.api.sessionCount).toBe(0);
  });

  it("takes the token from a file, or the environment, and never an agent's", async () => {
    const { plane } = await server();
    const file = await fileWith(`${adminToken}\n`);
    const asked = async (args: string[], env: Record<string, string>) =>
      (await toolResult(["call", "--tailnet", "Tailnet/RefreshResumeToken", ...args], env)).exitCode;
    expect(await asked(["--token-file", file], { CODER_URL: plane.url })).toBe(0);
    expect(await asked([], { CODER_URL: plane.url, CODER_SESSION_TOKEN: adminToken })).toBe(0);
    expect(await asked([], { CODER_AGENT_URL: plane.url, CODER_SESSION_TOKEN: adminToken })).toBe(0);
    expect(await asked([], { CODER_AGENT_URL: plane.url, CODER_AGENT_TOKEN: token })).toBe(2);
  });

  it("follows the workspaces of an owner, until it is interrupted with 130", async () => {
    const { plane, agentId } = await server();
    const agent = await plane.store.agent(agentId);
    const { ownerId = "" } = (await plane.store.workspace(agent?.workspaceId ?? "")) ?? {};
    const request = { workspaceOwnerId: ownerId };
    const env = { CODER_URL: plane.url, CODER_SESSION_TOKEN: adminToken };
    const run = tool(["call", "--tailnet", "Tailnet/WorkspaceUpdates", JSON.stringify(request)], env);
    await eventually(() => run.stdout().includes("\n"), "the first message");
    expect(JSON.parse(run.stdout())).toMatchObject({
      upsertedWorkspaces: [{ name: "dev" }],
      upsertedAgents: [{ name: "main" }],
    });
    run.interrupt();
    expect(await run.exitCode).toBe(130);
  });

  it("takes ids as UUIDs, and as protobuf JSON has them", () => {
    const base64 = Buffer.from(unknownAgent.replaceAll("-", ""), "hex").toString("base64");
    const request = (id: string) => ({
      addTunnel: { id },
      ready_for_handshake: [{ id }, { id: 7 }, null],
      updateSelf: { node: { disco: id, addresses: [id] } },
      unknown: { id },
    });
    const asUuid = request(unknownAgent);
    expect(withUuidBytes(CoordinateRequestSchema, asUuid)).toEqual({
      ...request(base64),
      updateSelf: asUuid.updateSelf,
      unknown: asUuid.unknown,
    });
    expect(withUuidBytes(CoordinateRequestSchema, request(base64))).toEqual(request(base64));
    expect(withUuidBytes(CoordinateRequestSchema, ["x"])).toEqual(["x"]);
  });

  it("dials the endpoint of one agent", async () => {
    const { plane, agentId } = await server();
    const env = { CODER_URL: plane.url, CODER_SESSION_TOKEN: adminToken };
    const run = tool(["call", "--tailnet", "--agent-id", agentId, "Tailnet/Coordinate", "-"], env);
    const tunnel = { addTunnel: { id: Buffer.alloc(16).toString("base64") } };
    run.stdin.write(`${JSON.stringify(tunnel)}\n`);
    await eventually(() => run.stdout().includes("invalid agent id, expected"), "the refusal");
    run.stdin.end();
    expect(await run.exitCode).toBe(0);
  });

  it("fails with 1 and what the endpoint says", async () => {
    const { plane } = await server();
    const env = { CODER_URL: plane.url, CODER_SESSION_TOKEN: adminToken };
    const args = ["call", "--tailnet", "Tailnet/StreamDERPMaps", "--agent-id", unknownAgent];
    const { exitCode, stderr } = await toolResult(args, env);
    expect(exitCode).toBe(1);
    expect(JSON.parse(stderr)).toMatchObject({ layer: "dial", status: 404 });
  });

  it.each([
    [["Agent/GetManifest", "--tailnet"], "--tailnet has only coder.tailnet.v2.Tailnet"],
    [["Tailnet/StreamDERPMaps", "--agent-id", unknownAgent], "--agent-id needs --tailnet"],
    [
      ["Tailnet/StreamDERPMaps", "--tailnet", "--token", "any", "--agent-id", "one"],
      "--agent-id one: must be a UUID",
    ],
    [
      ["Tailnet/StreamDERPMaps", "--tailnet", "--role", "agent"],
      "--role is for agents, and --tailnet for users",
    ],
    [["Tailnet/StreamDERPMaps", "--tailnet", "--url", "nowhere"], "nowhere: must be a URL"],
    [["Tailnet/StreamDERPMaps", "--tailnet"], "give a user's token"],
  ])("refuses %j with 2 and one line", async (args, said) => {
    const { exitCode, stderr } = await toolResult(["call", ...args], { CODER_URL: "http://127.0.0.1:9" });
    expect(exitCode).toBe(2);
    expect(stderr).toContain(said);
    expect(stderr).toMatch(/^agentwire: [^\n]+\n$/);
  });
});
