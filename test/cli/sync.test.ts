import { describe, expect, it, onTestFinished } from "vitest";
import { parseArguments } from "../../src/cli/command.js";
import { createSync } from "../../src/cli/commands/sync.js";
import { parseDuration } from "../../src/cli/go-duration.js";
import { agentSocket, socketPath } from "../local/socket/support.js";
import { eventually } from "../support/control-plane.js";
import { terminal, tool, toolResult } from "../support/terminal.js";

/** A socket, and the tool pointed at it. */
async function workspace() {
  const socket = await agentSocket();
  const env = { CODER_AGENT_SOCKET_PATH: socket.path };
  return {
    socket,
    units: socket.units,
    env,
    sync: (...args: string[]) => toolResult(["sync", ...args], env),
  };
}

const said = (stdout: string) => ({ exitCode: 0, stdout, stderr: "" });
const failed = (stderr: string) => ({ exitCode: 1, stdout: "", stderr: `${stderr}\n` });
const refused = (stderr: string) => ({ exitCode: 2, stdout: "", stderr: `agentwire: ${stderr}\n` });

/** `sync start` that asks every few milliseconds, so that a test need not wait. */
function quickStart(env: Record<string, string>, ...args: string[]) {
  const command = createSync(5);
  const { values, positionals } = parseArguments(command, ["start", ...args]);
  const run = terminal(env);
  const exitCode = command.run(values, positionals, run.terminal);
  onTestFinished(async () => {
    run.interrupt();
    await exitCode.catch(() => {});
  });
  return { ...run, exitCode };
}

describe("agentwire sync", () => {
  it("C5.29 takes the socket from the option first, and goes on to the environment", async () => {
    const { socket, sync, env } = await workspace();
    expect(await sync("ping")).toEqual(said("Success\n"));
    const nowhere = await socketPath();
    expect(await sync("ping", "--socket-path", nowhere)).toMatchObject({ exitCode: 1 });
    expect(
      await toolResult(["sync", "ping", "--socket-path", socket.path], {
        ...env,
        CODER_AGENT_SOCKET_PATH: nowhere,
      }),
    ).toEqual(said("Success\n"));
  });

  it("prints JSON alone with --json, and so it does of what went wrong", async () => {
    const { sync } = await workspace();
    const json = async (...args: string[]) => JSON.parse((await sync(...args, "--json")).stdout) as unknown;
    expect(await json("ping")).toEqual({ action: "ping", units: [], done: true });
    expect(await json("want", "a", "b")).toEqual({ action: "want", units: ["a", "b"], done: true });
    expect(await json("start", "b")).toEqual({ action: "start", units: ["b"], done: true });
    expect(await json("complete", "b")).toEqual({ action: "complete", units: ["b"], done: true });
    expect(await sync("list", "--json")).toEqual(await sync("list", "-o", "json"));
    expect(await sync("status", "a", "--json")).toEqual(await sync("status", "a", "-o", "json"));
    const failure = await sync("ping", "--json", "--socket-path", await socketPath());
    expect(failure).toMatchObject({ exitCode: 1, stdout: "" });
    expect(JSON.parse(failure.stderr)).toMatchObject({
      message: expect.stringContaining("connect to agent socket"),
    });
  });

  it.each([["ping"], ["want", "a", "b"], ["start", "a"], ["complete", "a"], ["status", "a"], ["list"]])(
    "C5.30 %s says when there is no agent",
    async (...args) => {
      const path = await socketPath();
      expect(await toolResult(["sync", ...args, "--socket-path", path])).toEqual(
        failed(
          `connect to agent socket: connect to socket: connect ENOENT ${path}\n` +
            "is an agent with a socket running here? if it has another path: --socket-path, or CODER_AGENT_SOCKET_PATH",
        ),
      );
    },
  );

  it("C5.32 declares dependencies in their order, and keeps those before one that fails", async () => {
    const { sync, units } = await workspace();
    expect(await sync("want", "u", "b", "a")).toEqual(said('Unit "u" declared dependencies: [b, a]\n'));
    expect(await sync("want", "b", "c", "u", "d")).toEqual(
      failed(
        'declare dependency failed: cannot add dependency: adding edge for unit "b": failed to add dependency\nadding edge (b -> u): cycle detected',
      ),
    );
    expect(units.dependencies("b").map(({ dependsOn }) => dependsOn)).toEqual(["c"]);
    const text = "at least two arguments are required: unit and one or more depends-on";
    expect(await sync("want", "u")).toEqual(refused(text));
    expect(await sync("want")).toEqual(refused(text));
  });

  it("C5.33 completes a unit", async () => {
    const { sync, units } = await workspace();
    units.register("u");
    expect(await sync("complete", "u")).toEqual(said("Success\n"));
    expect(units.status("u")).toBe("completed");
    expect(await sync("complete", "x")).toEqual(
      failed(
        'complete unit failed: cannot complete unit "x": unit "x" must be registered first: unit not found',
      ),
    );
  });

  it.each(["start", "complete", "status"])("%s takes exactly one unit", async (part) => {
    const { sync } = await workspace();
    expect(await sync(part)).toEqual(refused("exactly one unit name is required"));
    expect(await sync(part, "a", "b")).toEqual(refused("exactly one unit name is required"));
  });

  it("C5.35 starts at once what waits for nothing, or for nothing any more", async () => {
    const { sync, units } = await workspace();
    expect(await sync("start", "u")).toEqual(said('Unit "u" started with no dependencies\n'));
    units.register("v");
    units.addDependency("v", "z", "completed");
    units.addDependency("v", "b", "completed");
    for (const unit of ["z", "b"]) {
      units.register(unit);
      units.updateStatus(unit, "completed");
    }
    expect(await sync("start", "v")).toEqual(
      said('Unit "v" started immediately, dependencies already satisfied: [b, z]\n'),
    );
    expect(await sync("start", "v")).toEqual(
      failed(
        'start unit failed: cannot start unit "v": checking status for unit "v": same status already set',
      ),
    );
    expect(await sync("start", "")).toEqual(
      failed("get status failed: cannot check readiness: unit ID cannot be empty: unit name is required"),
    );
  });

  it("C5.35 waits for what is missing, and for what comes to that meanwhile", async () => {
    const { env, units } = await workspace();
    for (const unit of ["u", "a", "x", "y", "late"]) units.register(unit);
    units.updateStatus("a", "completed");
    for (const unit of ["y", "a", "x"]) units.addDependency("u", unit, "completed");
    const run = quickStart(env, "u");
    const waiting = 'Unit "u" is waiting for dependencies to be satisfied: [x, y]\n';
    await eventually(() => run.stdout() === waiting, "it says what it waits for");
    units.addDependency("u", "late", "completed");
    units.updateStatus("x", "completed");
    units.updateStatus("y", "completed");
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(units.status("u")).toBe("pending");
    units.updateStatus("late", "completed");
    expect(await run.exitCode).toBe(0);
    expect(units.status("u")).toBe("started");
    expect(run.stdout()).toBe(`${waiting}Unit "u" finished waiting for dependencies: [x, y]\n`);
  });

  it("C5.34 gives up when the time-out has passed", async () => {
    const { env, units } = await workspace();
    units.register("u");
    units.addDependency("u", "a", "completed");
    const run = quickStart(env, "u", "--timeout", "80ms");
    expect(await run.exitCode).toBe(1);
    expect(run.stderr()).toBe("timeout waiting for dependencies of unit 'u'\n");
    expect(units.status("u")).toBe("pending");
  });

  it("C5.34 fails when the agent goes away while it waits", async () => {
    const { env, units, socket } = await workspace();
    units.register("u");
    units.addDependency("u", "a", "completed");
    const run = quickStart(env, "u", "--timeout", "0");
    await eventually(() => run.stdout() !== "", "it waits");
    await socket.close();
    expect(await run.exitCode).toBe(1);
    expect(run.stderr()).toMatch(/^error checking dependencies: sync ready: .+\n(is an agent .+\n)?$/);
  });

  it("ends with 130 when it is interrupted while it waits", async () => {
    const { env, units } = await workspace();
    units.register("u");
    units.addDependency("u", "a", "completed");
    const run = tool(["sync", "start", "u"], env);
    await eventually(() => run.stdout() !== "", "it waits");
    run.interrupt();
    expect(await run.exitCode).toBe(130);
  });

  it("C5.36 shows a unit's status and what it depends on", async () => {
    const { sync, units } = await workspace();
    units.register("u");
    expect(await sync("status", "u")).toEqual(
      said("Unit: u\nStatus: pending\nReady: true\n\nDependencies:\nNo dependencies found\n"),
    );
    expect(await sync("status", "x")).toEqual(
      said("Unit: x\nStatus: not registered\nReady: true\n\nDependencies:\nNo dependencies found\n"),
    );
    units.addDependency("u", "database", "completed");
    expect(await sync("status", "u")).toEqual(
      said(
        [
          "Unit: u\nStatus: pending\nReady: false\n\nDependencies:",
          "DEPENDS ON  REQUIRED STATUS  CURRENT STATUS  SATISFIED",
          "database    completed        not registered  false\n",
        ].join("\n"),
      ),
    );
    expect((await sync("status", "u", "-c", "satisfied,depends on")).stdout).toContain(
      "Dependencies:\nSATISFIED  DEPENDS ON\nfalse      database\n",
    );
  });

  it("C5.36 shows it as JSON, with null for none", async () => {
    const { sync, units } = await workspace();
    expect(await sync("status", "x", "-o", "json")).toEqual(
      said('{\n  "unit_name": "x",\n  "status": "",\n  "is_ready": true,\n  "dependencies": null\n}\n'),
    );
    units.register("u");
    units.addDependency("u", "a", "completed");
    const { stdout } = await sync("status", "u", "--output", "json");
    expect(JSON.parse(stdout)).toEqual({
      unit_name: "u",
      status: "pending",
      is_ready: false,
      dependencies: [
        { depends_on: "a", required_status: "completed", current_status: "", is_satisfied: false },
      ],
    });
  });

  it("C5.37 lists units by name", async () => {
    const { sync, units } = await workspace();
    expect(await sync("list")).toEqual(said("No units registered\n"));
    expect(await sync("list", "-o", "json")).toEqual(said("null\n"));
    for (const unit of ["web", "api"]) units.register(unit);
    units.addDependency("api", "web", "completed");
    units.updateStatus("web", "started");
    expect(await sync("list")).toEqual(
      said("UNIT  STATUS   READY\napi   pending  false\nweb   started  true\n"),
    );
    expect(await sync("list", "-c", "unit")).toEqual(said("UNIT\napi\nweb\n"));
    expect(JSON.parse((await sync("list", "-o", "json")).stdout)).toEqual([
      { unit_name: "api", status: "pending", is_ready: false },
      { unit_name: "web", status: "started", is_ready: true },
    ]);
  });

  it("shows no control characters of names", async () => {
    const { sync, units } = await workspace();
    units.register("a\x1b[2Jb");
    expect((await sync("list")).stdout).toContain("\nab");
    expect((await sync("want", "a\x1b[2Jb", "c\x07")).stdout).toBe(
      'Unit "a\\x1b[2Jb" declared dependencies: [c]\n',
    );
  });

  it("refuses what it does not have, before it connects", async () => {
    const env = { CODER_AGENT_SOCKET_PATH: await socketPath() };
    const known = "ping, want, start, complete, status, list";
    for (const [args, text] of [
      [[], `sync: give one of ${known}`],
      [["wait"], `sync wait: must be one of ${known}`],
      [["ping", "x"], "sync ping takes no arguments"],
      [["list", "x"], "sync list takes no arguments"],
      [["list", "-o", "xml"], "--output xml: must be table or json"],
      [["list", "-c", "unit,color"], "--column color: must be of unit, status, ready"],
      [
        ["start", "u", "--timeout", "soon"],
        "--timeout soon: must be a duration such as 90s, 5m or 1h30m; 0 for none",
      ],
    ] as const) {
      expect(await toolResult(["sync", ...args], env)).toEqual(refused(text));
    }
  });
});

describe("durations", () => {
  it.each([
    ["0", 0],
    ["5m", 300_000],
    ["1h30m", 5_400_000],
    ["1.5s", 1_500],
    [".5s", 500],
    ["250ms", 250],
    ["2us", 0.002],
  ])("%s is %d ms", (text, ms) => {
    expect(parseDuration("timeout", text)).toBeCloseTo(ms, 9);
  });

  it.each(["", "5", "m", "-5m", "5 m", "5mm", "1h-3m", "5d"])('"%s" is none', (text) => {
    expect(() => parseDuration("timeout", text)).toThrow("must be a duration");
  });
});
