import { tmpdir } from "node:os";
import { afterEach, describe, expect, it, vi } from "vitest";
import { controlPlane, eventually, token } from "../support/control-plane.js";
import { fileWith } from "../support/files.js";
import { httpServer } from "../support/http-servers.js";
import { tool, toolResult } from "../support/terminal.js";

const manifest = ["call", "Agent/GetManifest"];
const unreachable = "http://127.0.0.1:9";

/** A control plane for which every machine is that of its agent, and what was asked of it and of the clouds. */
async function withClouds() {
  const plane = await controlPlane();
  const asked: string[] = [];
  const { url: logins } = await httpServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    asked.push(`${request.url?.split("/").at(-1)} ${Buffer.concat(chunks).toString().trim()}`);
    response.setHeader("Content-Type", "application/json").end(JSON.stringify({ session_token: token }));
  });
  const metadata: Record<string, string> = {
    "/latest/api/token": "m",
    "/latest/dynamic/instance-identity/signature": "s",
    "/latest/dynamic/instance-identity/document": "d",
    "/metadata/attested/document": '{"signature":"s","encoding":"pkcs7"}',
    "/computeMetadata/v1/instance/service-accounts/default/identity": "j",
  };
  const real = globalThis.fetch;
  vi.stubGlobal("fetch", async (input: URL, init: RequestInit) => {
    if (input.host === "169.254.169.254") return new Response(metadata[input.pathname]);
    return real(input.pathname.endsWith("-identity") ? new URL(input.pathname, logins) : input, init);
  });
  return { plane, asked };
}

afterEach(() => vi.unstubAllGlobals());

describe("--token-file", () => {
  it("is where call, logs and agent read the token", async () => {
    const plane = await controlPlane();
    const options = ["--url", plane.url, "--token-file", await fileWith(`${token}\n`)];
    expect(await toolResult([...manifest, ...options])).toMatchObject({ exitCode: 0, stderr: "" });
    expect(await toolResult(["logs", "--source", "x", ...options], {}, "line")).toMatchObject({
      exitCode: 0,
    });
    expect(await plane.store.logs(plane.agents[0]?.id ?? "", 0, 10)).toMatchObject([{ output: "line" }]);
    const agent = tool(["agent", ...options], { HOME: tmpdir() });
    await eventually(() => agent.stderr().includes("agent: ready"), "the agent");
    agent.interrupt();
    expect(await agent.exitCode).toBe(0);
  });

  it("is CODER_AGENT_TOKEN_FILE by default, after CODER_AGENT_TOKEN; on the command line it goes before both", async () => {
    const plane = await controlPlane();
    const path = await fileWith(token);
    const env = { CODER_AGENT_URL: plane.url, CODER_AGENT_TOKEN_FILE: path };
    expect(await toolResult(manifest, env)).toMatchObject({ exitCode: 0 });
    const both = { ...env, CODER_AGENT_TOKEN: "none" };
    expect(await toolResult(manifest, both)).toMatchObject({ exitCode: 1 });
    expect(await toolResult([...manifest, "--token-file", path], both)).toMatchObject({ exitCode: 0 });
    expect(await toolResult([...manifest, "--token-file", path, "--token", "none"], env)).toMatchObject({
      exitCode: 1,
    });
  });

  it.each([
    ["/none", 'read token file "/none": ENOENT'],
    [
      "/dev/null",
      "CODER_AGENT_TOKEN or CODER_AGENT_TOKEN_FILE must be set for token auth; or give --token or",
    ],
  ])("of %s is refused with 2 and one line", async (path, said) => {
    const { exitCode, stderr } = await toolResult([...manifest, "--url", unreachable, "--token-file", path]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(said);
    expect(stderr).toContain("--token-file");
    expect(stderr).toMatch(/^agentwire: [^\n]+\n$/);
  });
});

describe("--auth", () => {
  it.each([
    ["aws", "aws-instance-identity"],
    ["aws-instance-identity", "aws-instance-identity"],
    ["azure", "azure-instance-identity"],
    ["azure-instance-identity", "azure-instance-identity"],
    ["gcp", "google-instance-identity"],
    ["google-instance-identity", "google-instance-identity"],
  ])("%s logs in as a machine", async (auth, route) => {
    const { plane, asked } = await withClouds();
    const url = ["--url", plane.url];
    expect(await toolResult([...manifest, ...url, "--auth", auth])).toMatchObject({
      exitCode: 0,
      stderr: "",
    });
    expect(asked).toEqual([expect.stringMatching(`^${route} {`)]);
    expect(asked.join()).not.toContain("agent_name");
  });

  it("is CODER_AGENT_AUTH by default, with the name of the agent; a token on the command line goes before it", async () => {
    const { plane, asked } = await withClouds();
    const env = { CODER_AGENT_URL: plane.url, CODER_AGENT_AUTH: "azure", CODER_AGENT_NAME: "api" };
    expect(await toolResult(manifest, env)).toMatchObject({ exitCode: 0 });
    expect(await toolResult([...manifest, "--agent-name", "web"], env)).toMatchObject({ exitCode: 0 });
    expect(await toolResult([...manifest, "--token", token], env)).toMatchObject({ exitCode: 0 });
    expect(asked.map((line) => /"agent_name":"(.*)"/.exec(line)?.[1])).toEqual(["api", "web"]);
  });

  it("of the environment does not make an agent wait that has a wrong token on the command line", async () => {
    const { plane, asked } = await withClouds();
    const env = { CODER_AGENT_URL: plane.url, CODER_AGENT_AUTH: "aws", HOME: tmpdir() };
    const wrong = ["--token", "none", "--no-socket", "--no-boundary"];
    expect(await toolResult(["agent", ...wrong], env)).toMatchObject({ exitCode: 1 });
    expect(asked).toEqual([]);
  });

  it("of another kind is refused with 2, and says which there are", async () => {
    const { exitCode, stderr } = await toolResult([...manifest, "--url", unreachable, "--auth", "oops"]);
    expect(exitCode).toBe(2);
    expect(stderr).toBe(
      "agentwire: unknown agent auth type: oops; --auth or CODER_AGENT_AUTH must be one of token, aws, aws-instance-identity, azure, azure-instance-identity, gcp, google-instance-identity\n",
    );
  });

  it("fails with 1, and which metadata service it was, where there is none", async () => {
    vi.stubGlobal("fetch", () =>
      Promise.reject(new TypeError("fetch failed", { cause: new Error("connect EHOSTUNREACH") })),
    );
    const { exitCode, stderr } = await toolResult([...manifest, "--url", unreachable, "--auth", "aws"]);
    expect(exitCode).toBe(1);
    expect(JSON.parse(stderr)).toEqual({
      code: "unavailable",
      layer: "http",
      message: "the AWS metadata service: PUT http://169.254.169.254/latest/api/token: connect EHOSTUNREACH",
    });
  });
});

it.each(["call", "logs", "agent"])("%s --help has the options for tokens", async (command) => {
  const { stdout } = await toolResult([command, "--help"]);
  for (const option of ["--token TOKEN", "--token-file FILE", "--auth KIND", "--agent-name NAME"]) {
    expect(stdout).toContain(option);
  }
});
