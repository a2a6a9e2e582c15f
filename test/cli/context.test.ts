import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { PassThrough } from "node:stream";
import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { describe, expect, it, onTestFinished } from "vitest";
import { type OptionValues, type Terminal, UsageError } from "../../src/cli/command.js";
import { type ContextCalls, contextCommand } from "../../src/cli/commands/context.js";
import { AgentSocket } from "../../src/gen/coder/agentsocket/v1/agentsocket_pb.js";
import type { ContextService, ContextSnapshot } from "../../src/local/index.js";
import { skillFile, Workplace } from "../local/context/workplace.js";
import { controlPlane, token } from "../support/control-plane.js";
import { toolResult } from "../support/terminal.js";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

function wireSnapshot({ version, aggregateHash, snapshotError, payloadBytes, resources }: ContextSnapshot) {
  return {
    snapshot: {
      version,
      aggregateHash: hex(aggregateHash),
      snapshotError,
      payloadBytes,
      resources: resources.map((resource) => ({ ...resource, contentHash: hex(resource.contentHash) })),
    },
  };
}

/** The context RPCs of an agent's socket, on a context (C5.19). */
function socketOn(context: ContextService): ContextCalls & { closed: number } {
  const known = (path: string) => {
    if (!context.sources().includes(context.canonical(path))) {
      throw new ConnectError(`"${path}": context source not found`, Code.Unknown);
    }
    return { source: { path: context.canonical(path) } };
  };
  const transport = createRouterTransport(({ service }) =>
    service(AgentSocket, {
      contextSources: () => ({ sources: context.sources().map((path) => ({ path })) }),
      getContextSource: ({ path }) => known(path),
      addContextSource: async ({ path }) => {
        return { source: { path: await context.addSource(path) } };
      },
      removeContextSource: async ({ path }) => {
        known(path);
        await context.removeSource(path);
        return {};
      },
      getContextSnapshot: () => wireSnapshot(context.snapshot()),
      resyncContext: async () => wireSnapshot(await context.resync()),
    }),
  );
  const opened = {
    agentSocket: createClient(AgentSocket, transport),
    closed: 0,
    async close() {
      opened.closed++;
    },
  };
  return opened;
}

/** Runs the command on a socket. */
async function run(
  open: () => Promise<ContextCalls>,
  args: readonly string[],
  env: Record<string, string> = {},
  signal = new AbortController().signal,
  values: OptionValues = {},
) {
  let stdout = "";
  const collect = new PassThrough().on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  const terminal: Terminal = {
    stdin: new PassThrough(),
    stdout: collect,
    stderr: new PassThrough(),
    env,
    signal,
  };
  const exitCode = await contextCommand(open).run(values, args, terminal);
  await new Promise((resolve) => setImmediate(resolve));
  return { exitCode, stdout };
}

async function agent(files: Record<string, string> = {}) {
  const place = await Workplace.make(files);
  const context = await place.opened();
  const socket = socketOn(context);
  return { place, context, socket, command: (...args: string[]) => run(async () => socket, args) };
}

describe("agentwire context (C5.38)", () => {
  it("registers a source, lists it, shows what is in it, and removes it", async () => {
    const { place, socket, command } = await agent({
      "extra/AGENTS.md": "abc",
      "extra/skills/alpha/SKILL.md": skillFile("alpha"),
      "extra/skills/broken/SKILL.md": "",
      "work/AGENTS.md": "",
    });
    const extra = place.at("extra");
    expect((await command("list")).stdout).toBe("No context sources registered.\n");
    expect(await command("add", extra)).toEqual({
      exitCode: 0,
      stdout: `Registered context source ${extra}\n`,
    });
    expect((await command("list")).stdout).toBe(`${"PATH".padEnd(extra.length)}  RESOURCES\n${extra}  3\n`);
    const shown = (await command("show", extra)).stdout.split("\n");
    expect(shown[0]).toBe(`Source: ${extra} (3 resources)`);
    expect(shown.slice(1).map((line) => line.split(/ {2,}/))).toEqual([
      ["KIND", "STATUS", "BYTES", "NAME", "SOURCE", "ERROR"],
      ["instruction_file", "ok", "3", `${extra}/AGENTS.md`],
      ["skill", "ok", String(skillFile("alpha").length), "alpha", `${extra}/skills/alpha`],
      ["skill", "invalid", "0", `${extra}/skills/broken`, "no front matter: the first line must be ---"],
      [""],
    ]);
    expect((await command("show")).stdout.split("\n")[0]).toBe("Agent context (version 2, 4 resources)");
    expect((await command("remove", extra)).stdout).toBe(`Removed context source ${extra}\n`);
    expect((await command("list")).stdout).toBe("No context sources registered.\n");
    expect(socket.closed).toBe(7);
  });

  it("prints JSON with --json, one line each", async () => {
    const { place, socket } = await agent({ "extra/AGENTS.md": "abc" });
    const extra = place.at("extra");
    const json = async (...args: string[]) => {
      const { stdout } = await run(async () => socket, args, {}, undefined, { json: true });
      expect(stdout.split("\n")).toHaveLength(2);
      return JSON.parse(stdout) as unknown;
    };
    expect(await json("list")).toEqual({ sources: [] });
    expect(await json("add", extra)).toEqual({ added: extra });
    expect(await json("list")).toEqual({ sources: [{ path: extra, resources: 1 }] });
    const file = { kind: "instruction_file", status: "ok", sizeBytes: 3, name: "" };
    expect(await json("show", extra)).toEqual({
      version: expect.stringMatching(/^\d+$/),
      source: extra,
      resources: [{ ...file, source: `${extra}/AGENTS.md` }],
    });
    expect(await json("refresh")).toEqual({ version: expect.stringMatching(/^\d+$/), resources: 1 });
    expect(await json("remove", extra)).toEqual({ removed: extra });
  });

  it("makes relative paths absolute, and leaves ~ to the agent", async () => {
    const paths: string[] = [];
    const transport = createRouterTransport(({ service }) =>
      service(AgentSocket, {
        addContextSource: ({ path }) => {
          paths.push(path);
          return { source: { path } };
        },
      }),
    );
    const socket = { agentSocket: createClient(AgentSocket, transport), close: async () => {} };
    for (const path of ["src/..", "//tmp/../tmp/", "~", "~/x/..", "~x"]) {
      await run(async () => socket, ["add", path]);
    }
    expect(paths).toEqual([process.cwd(), "/tmp", "~", "~/x/..", join(process.cwd(), "~x")]);
  });

  it("looks again on refresh, and tells of trouble with the snapshot", async () => {
    const { place, command } = await agent({ "work/AGENTS.md": "" });
    await place.write({ "work/CLAUDE.md": "", [`work/${"d/".repeat(13)}x`]: "" });
    expect(await command("refresh")).toEqual({
      exitCode: 0,
      stdout:
        "Re-resolved agent context (version 2, 2 resources).\n" +
        `Snapshot reported an error: the walk of ${place.work} ended at 12 directories one in the other; what lies beyond is left out\n`,
    });
  });

  it("has the control plane refresh its chats where URL and token are known (C1.46)", async () => {
    const { socket } = await agent();
    const plane = await controlPlane();
    const env = { CODER_AGENT_URL: plane.url, CODER_AGENT_TOKEN: token };
    const first = "Re-resolved agent context (version 1, 0 resources).\n";
    const open = async () => socket;
    expect((await run(open, ["refresh"], env)).stdout).toBe(`${first}Refreshed 0 drifted chat(s).\n`);
    const inFile = join(await mkdtemp(join(tmpdir(), "agentwire-context-")), "token");
    onTestFinished(() => rm(dirname(inFile), { recursive: true }));
    await writeFile(inFile, token);
    expect(
      (await run(open, ["refresh"], { CODER_AGENT_URL: plane.url, CODER_AGENT_TOKEN_FILE: inFile })).stdout,
    ).toBe(`${first}Refreshed 0 drifted chat(s).\n`);
    const noToken = { CODER_AGENT_URL: plane.url, CODER_AGENT_AUTH: "token" };
    expect((await run(open, ["refresh"], noToken)).stdout).toBe(first);
    await expect(
      run(open, ["refresh"], { ...env, CODER_AGENT_TOKEN: token.replace("6", "7") }),
    ).rejects.toMatchObject({
      status: 401,
    });
    expect(socket.closed).toBe(4);
  });

  it("says what the agent says when it refuses", async () => {
    const { place, command } = await agent();
    const path = place.at("nowhere");
    for (const action of ["show", "remove"]) {
      await expect(command(action, path)).rejects.toThrow(`"${path}": context source not found`);
    }
    await expect(command("add", path)).rejects.toThrow(ConnectError);
  });

  it("lets no text of a file do something to the terminal", async () => {
    const { command } = await agent({ "work/\u001b[31mred\nb/AGENTS.md": "" });
    expect((await command("show")).stdout).toMatch(/work\/red b\/AGENTS\.md\n$/);
  });

  it("says where to run it when the agent cannot be reached", async () => {
    const refused = () => Promise.reject(new Error("connect to socket: ECONNREFUSED"));
    await expect(run(refused, ["list"])).rejects.toThrow(
      "connect to agent socket (run this from inside the workspace): connect to socket: ECONNREFUSED",
    );
    const abort = new AbortController();
    abort.abort(new Error("ended by SIGINT"));
    await expect(run(refused, ["list"], {}, abort.signal)).rejects.toThrow("ended by SIGINT");
    const { exitCode, stderr } = await toolResult([
      "context",
      "list",
      "--socket-path",
      "/nowhere/agent.sock",
    ]);
    expect(exitCode).toBe(1);
    expect(JSON.parse(stderr)).toMatchObject({
      message: expect.stringMatching(
        /^connect to agent socket \(run this from inside the workspace\): connect to socket: .*\/nowhere\/agent\.sock/,
      ),
    });
  });

  it.each([
    [[], "say what to do: one of list, show, add, remove, refresh"],
    [["toString"], 'there is no "context toString"; there are list, show, add, remove, refresh'],
    [["add"], "context add takes exactly one path"],
    [["remove", "a", "b"], "context remove takes exactly one path"],
    [["list", "a"], 'context list: "a" is too much'],
    [["show", "a", "b"], 'context show: "b" is too much'],
    [["refresh", "a"], 'context refresh: "a" is too much'],
  ])("is called wrongly with %j", async (args, why) => {
    const unreached = () => Promise.reject(new Error("it must not connect"));
    const error = await run(unreached, args).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UsageError);
    expect((error as Error).message).toBe(why);
  });

  it("has a help", async () => {
    const { stdout, exitCode } = await toolResult(["context", "--help"]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain("usage: agentwire context list|show|add|remove|refresh [PATH] [options]");
    expect(stdout).toContain("--socket-path PATH");
  });
});
