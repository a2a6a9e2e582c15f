import { describe, expect, it } from "vitest";
import { printable } from "../../src/cli/colors.js";
import { toolResult } from "../support/terminal.js";

describe("agentwire", () => {
  it("lists its commands with --help, and without anything as a mistake", async () => {
    const help = await toolResult(["--help"]);
    expect(help.exitCode).toBe(0);
    for (const name of ["serve", "agent", "call", "logs", "versions", "demo"]) {
      expect(help.stdout).toMatch(new RegExp(`^  ${name} +[A-Z]`, "m"));
    }
    expect(await toolResult([])).toEqual({ ...help, exitCode: 2 });
  });

  it.each(["serve", "agent", "call", "logs", "versions", "demo"])("says with %s --help how", async (name) => {
    const { exitCode, stdout } = await toolResult([name, "--help"]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`usage: agentwire ${name}`);
    expect(stdout).toContain("examples:\n  ");
  });

  it("has a version", async () => {
    expect((await toolResult(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+/);
  });

  it("refuses a command that it does not have with 2", async () => {
    expect(await toolResult(["dance"])).toEqual({
      exitCode: 2,
      stdout: "",
      stderr: 'agentwire: there is no command "dance"; see agentwire --help\n',
    });
  });
});

describe("agentwire versions", () => {
  it("shows what exists since when", async () => {
    const { exitCode, stdout } = await toolResult(["versions"]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain("2.0   method      Agent/GetManifest\n");
    expect(stdout).toContain(
      "2.8   method      Agent/UpdateAppStatus\n      field       WorkspaceAgentDevcontainer.",
    );
    expect(stdout).toContain("2.10  method      Agent/PushContextState\n");
  });

  it("gives JSON lines with --json", async () => {
    const { stdout } = await toolResult(["versions", "--json"]);
    const entries = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, string>);
    expect(entries).toContainEqual({
      since: "2.8",
      kind: "method",
      parent: "coder.agent.v2.Agent",
      name: "UpdateAppStatus",
    });
    expect(entries).toHaveLength(36);
  });
});

describe("text of others on a terminal", () => {
  it.each([
    ["colours", "a \u001b[1;31mred\u001b[0m b", "a red b"],
    ["titles", "\u001b]0;evil\u0007x\u001b]2;evil\u001b\\y", "xy"],
    ["cursor movement", "\u001b[2J\u001b[Hx\ry\bz", "xyz"],
    ["single escapes", "\u001bcx\u001b", "x"],
    ["C1 controls", "\u009b31mx\u0085", "31mx"],
    ["tabs stay", "a\tb", "a\tb"],
    ["letters of all kinds stay", "größe 漢字 🙂", "größe 漢字 🙂"],
  ])("cannot do anything: %s", (_what, text, shown) => {
    expect(printable(text)).toBe(shown);
  });
});
