import { describe, expect, it } from "vitest";
import { uuidBytes } from "../../src/codec/index.js";
import type { TestPlaneOptions } from "../../src/testing/index.js";
import { token } from "../support/control-plane.js";
import { tool, toolResult } from "../support/terminal.js";
import { testPlane } from "../support/test-plane.js";

async function server(options: TestPlaneOptions = {}) {
  const plane = await testPlane({ agent: { apps: [{ slug: "web" }] }, ...options });
  return { plane, env: { CODER_AGENT_URL: plane.url, CODER_AGENT_TOKEN: plane.agent.token } };
}

describe("agentwire call", () => {
  it("calls a unary RPC, and prints the answer as JSON on one line", async () => {
    const { env, plane } = await server();
    const { exitCode, stdout, stderr } = await toolResult(["call", "Agent/GetManifest"], env);
    expect(stderr).toBe("");
    expect(exitCode).toBe(0);
    expect(stdout.split("\n")).toHaveLength(2);
    const manifest = JSON.parse(stdout) as Record<string, string>;
    expect(manifest["agentName"]).toBe("main");
    expect(Buffer.from(manifest["agentId"] ?? "", "base64")).toHaveLength(uuidBytes);
    expect(plane.calls()).toMatchObject([{ rpc: "GetManifest", role: "agentwire-call", apiVersion: "2.10" }]);
  });

  it.each([
    ["the full name", ["coder.agent.v2.Agent/UpdateAppStatus"]],
    ["a path", ["/coder.agent.v2.Agent/UpdateAppStatus"]],
    ["the local name of the method", ["Agent/updateAppStatus"]],
  ])("knows a method by %s", async (_what, args) => {
    const { env, plane } = await server();
    const request = JSON.stringify({ slug: "web", state: "IDLE", message: "waiting" });
    expect(await toolResult(["call", ...args, request], env)).toEqual({
      exitCode: 0,
      stdout: "{}\n",
      stderr: "",
    });
    expect(await plane.agent.appStatuses()).toMatchObject([
      { slug: "web", state: "idle", message: "waiting" },
    ]);
  });

  it("reads the request from standard input with -", async () => {
    const { env } = await server();
    const request = JSON.stringify({ lifecycle: { state: "READY" } });
    const { exitCode, stdout } = await toolResult(["call", "Agent/UpdateLifecycle", "-"], env, request);
    expect({ exitCode, stdout: JSON.parse(stdout) }).toEqual({ exitCode: 0, stdout: { state: "READY" } });
  });

  it("prints the messages of a stream as they come, until it is interrupted with 130", async () => {
    const { env, plane } = await server();
    const run = tool(["call", "coder.tailnet.v2.Tailnet/StreamDERPMaps"], env);
    await plane.waitFor("the first map", () => run.stdout() === '{"homeParams":{}}\n');
    run.interrupt();
    expect(await run.exitCode).toBe(130);
    expect(run.stderr()).toBe("");
  });

  it("sends the lines of standard input as the messages of a stream", async () => {
    const { env, plane } = await server();
    const run = tool(["call", "Tailnet/Coordinate", "-"], env);
    run.stdin.write('{"updateSelf":{"node":{}}}\n\n');
    run.stdin.write('{"disconnect":{}}\n');
    run.stdin.end();
    expect(await run.exitCode).toBe(0);
    expect(plane.calls("Coordinate")[0]?.requests).toMatchObject([{ updateSelf: {} }, { disconnect: {} }]);
  });

  it("takes the role, the version, headers and metadata that it is given", async () => {
    const { env, plane } = await server();
    const options = [
      "--role",
      "tester",
      "--api-version",
      "2.3",
      "--header",
      "X-One=1",
      "--metadata",
      "a=b=c",
    ];
    const { exitCode } = await toolResult(["call", "Agent/GetServiceBanner", ...options], env);
    expect(exitCode).toBe(0);
    expect(plane.calls()).toMatchObject([{ role: "tester", apiVersion: "2.3" }]);
  });

  it("negotiates with an older server", async () => {
    const { env, plane } = await server();
    await plane.downgrade("2.4");
    const { exitCode } = await toolResult(["call", "Agent/GetManifest"], env);
    expect(exitCode).toBe(0);
    expect(plane.calls()).toMatchObject([{ role: "agentwire-call", apiVersion: "2.4" }]);
  });

  it("fails with 1 and the error of the server as JSON", async () => {
    const { env } = await server();
    const { exitCode, stdout, stderr } = await toolResult(
      ["call", "Agent/UpdateAppStatus", '{"slug":"x"}'],
      env,
    );
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(JSON.parse(stderr)).toMatchObject({
      code: "unknown",
      drpcCode: 0,
      layer: "rpc",
      rpc: "/coder.agent.v2.Agent/UpdateAppStatus",
      message: expect.stringContaining('No app found with slug "x"'),
    });
  });

  it("fails with 1, and status, message and detail, where the server refuses it", async () => {
    const { env } = await server();
    const { exitCode, stderr } = await toolResult(["call", "Agent/GetManifest", "--token", "bad"], env);
    expect(exitCode).toBe(1);
    expect(JSON.parse(stderr)).toMatchObject({
      code: "unauthenticated",
      layer: "dial",
      status: 401,
      detail: "An agent token must be a valid UUIDv4. (len 3)",
    });
    expect(stderr).not.toContain(token);
  });

  it("fails with 1 and the deadline", async () => {
    const { env } = await server();
    const args = ["call", "Tailnet/StreamDERPMaps", "--timeout-ms", "100"];
    const { exitCode, stderr } = await toolResult(args, env);
    expect(exitCode).toBe(1);
    expect(JSON.parse(stderr)).toMatchObject({ code: "deadline_exceeded" });
  });

  it("tells what is wrong with a request before anything is dialled", async () => {
    const env = { CODER_AGENT_URL: "http://127.0.0.1:9", CODER_AGENT_TOKEN: token };
    for (const [request, said] of [
      ['{"slugg":"x"}', 'key "slugg" is unknown'],
      ["{", "the request is not JSON"],
    ] as const) {
      const { exitCode, stderr } = await toolResult(["call", "Agent/UpdateAppStatus", request], env);
      expect(exitCode).toBe(1);
      expect(JSON.parse(stderr)).toMatchObject({
        code: "invalid_argument",
        message: expect.stringContaining(said),
      });
    }
  });

  it.each([
    [["call"], "give SERVICE/METHOD"],
    [
      ["call", "Nobody/GetManifest"],
      'there is no service "Nobody"; known are coder.agent.v2.Agent, coder.tailnet.v2',
    ],
    [["call", "Agent/Nothing"], 'has no method "Nothing"; it has GetManifest'],
    [["call", "Agent/GetManifest", "--timeout-ms", "soon"], "must be a whole number above 0"],
    [["call", "Agent/GetManifest", "--header", "oops"], "--header oops: must be name=value"],
    [["call", "Agent/GetManifest", "--api-version", "two"], "--api-version: "],
    [["call", "Agent/GetManifest", "--url", "nowhere"], "--url nowhere: must be a URL"],
    [["call", "Agent/GetManifest", "--url", "ftp://x"], "--url ftp://x: must be a URL"],
    [["call", "Agent/GetManifest", "--what"], "Unknown option '--what'"],
  ])("refuses %j with 2 and one line", async (args, said) => {
    const env = { CODER_AGENT_URL: "http://127.0.0.1:9", CODER_AGENT_TOKEN: token };
    const { exitCode, stderr } = await toolResult(args, env);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(said);
    expect(stderr).toMatch(/^agentwire: [^\n]+\n$/);
  });

  it("asks for the control plane and the token where they are missing", async () => {
    expect((await toolResult(["call", "Agent/GetManifest"])).stderr).toContain(
      "CODER_AGENT_URL must be set; or give --url",
    );
    const env = { CODER_AGENT_URL: "http://127.0.0.1:9" };
    expect((await toolResult(["call", "Agent/GetManifest"], env)).stderr).toContain(
      "Either CODER_AGENT_TOKEN or CODER_AGENT_TOKEN_FILE must be set; or give --token or --token-file",
    );
  });
});
