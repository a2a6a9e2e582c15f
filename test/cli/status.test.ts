import { describe, expect, it } from "vitest";
import { agentSocket, socketPath } from "../local/socket/support.js";
import { dialled } from "../support/control-plane.js";
import { toolResult } from "../support/terminal.js";
import { testPlane } from "../support/test-plane.js";

const args = ["status", "--slug", "assistant", "--state", "working", "--message", "looking around"];

async function server() {
  const plane = await testPlane({ agent: { apps: [{ slug: "assistant" }] } });
  const env = {
    CODER_AGENT_URL: plane.url,
    CODER_AGENT_TOKEN: plane.agent.token,
    CODER_AGENT_SOCKET_PATH: await socketPath(),
  };
  return { plane, env, statuses: () => plane.agent.appStatuses() };
}

describe("agentwire status", () => {
  it("C5.39 reports through the agent beside it, without a token", async () => {
    const { plane, statuses } = await server();
    const socket = await agentSocket();
    socket.setControlPlane((await dialled(plane, plane.agent.target)).agent);
    const result = await toolResult([...args, "--uri", "https://example.com/7"], {
      CODER_AGENT_SOCKET_PATH: socket.path,
    });
    expect(result).toEqual({
      exitCode: 0,
      stdout: "",
      stderr: `reported through the agent at ${socket.path}\n`,
    });
    expect(await statuses()).toMatchObject([
      { state: "working", message: "looking around", uri: "https://example.com/7" },
    ]);
    // it had no connection of its own
    expect(await plane.sessionCount()).toBe(1);
  });

  it("reports to the control plane, in a role of its own, where no agent answers", async () => {
    const { plane, env, statuses } = await server();
    expect(await toolResult(args, env)).toEqual({
      exitCode: 0,
      stdout: "",
      stderr: `reported to ${plane.url} (connect to socket: connect ENOENT ${env.CODER_AGENT_SOCKET_PATH})\n`,
    });
    expect(await statuses()).toMatchObject([{ state: "working", message: "looking around" }]);
    expect(await plane.agent.status()).toBe("connecting");
  });

  it("says with --json on standard output which way the report went", async () => {
    const { plane, env } = await server();
    const direct = await toolResult([...args, "--json"], env);
    expect(direct).toMatchObject({ exitCode: 0, stderr: "" });
    expect(JSON.parse(direct.stdout)).toEqual({
      through: "control-plane",
      url: plane.url,
      why: expect.stringContaining("ENOENT"),
    });
    const socket = await agentSocket();
    socket.setControlPlane((await dialled(plane, plane.agent.target)).agent);
    const beside = await toolResult([...args, "--json", "--socket-path", socket.path], env);
    expect(JSON.parse(beside.stdout)).toEqual({ through: "agent", socketPath: socket.path });
  });

  it("fails with what the agent says: it is not asked twice", async () => {
    const { env, statuses } = await server();
    const socket = await agentSocket();
    const result = await toolResult([...args, "--socket-path", socket.path], env);
    expect(result).toMatchObject({ exitCode: 1, stdout: "" });
    expect(JSON.parse(result.stderr)).toMatchObject({
      message: "agent not connected to coderd",
      drpcCode: 0,
    });
    expect(await statuses()).toEqual([]);
  });

  it("says what is missing where there is neither agent nor control plane", async () => {
    const path = await socketPath();
    expect(await toolResult([...args, "--socket-path", path])).toEqual({
      exitCode: 2,
      stdout: "",
      stderr: `agentwire: no agent to report through (connect to socket: connect ENOENT ${path}), and CODER_AGENT_URL must be set; or give --url\n`,
    });
  });

  it.each([
    [["--slug", "a", "--state", "idle"], "give --slug, --state and --message: --message is missing"],
    [
      ["--slug", "a", "--state", "tired", "--message", "x"],
      "--state tired: must be one of working, idle, complete, failure",
    ],
    [["now"], '"now" is too much; see agentwire status --help'],
  ])("refuses %j", async (more, text) => {
    expect(await toolResult(["status", ...more])).toEqual({
      exitCode: 2,
      stdout: "",
      stderr: `agentwire: ${text}\n`,
    });
  });
});
