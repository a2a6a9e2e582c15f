import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { commands } from "../../src/cli/commands.js";
import { allMethods, shortName } from "../../src/cli/rpc/services.js";
import { toolResult } from "../support/terminal.js";

/** What a shell is asked for, and what it is to offer. */
interface Question {
  /** The words of the line, the last of them the one that is to be completed. */
  words: string[];
  offers: string[];
}

const agentMethods = allMethods.map(shortName).filter((name) => name.startsWith("Agent/Get"));

const questions: Question[] = [
  { words: ["con"], offers: ["context"] },
  { words: ["co"], offers: ["context", "completion"] },
  { words: ["doctor", "--to"], offers: ["--token", "--token-file"] },
  { words: ["sync", "--col"], offers: ["--column"] },
  { words: ["call", "Agent/Get"], offers: agentMethods },
  { words: ["call", "--url", "http://x", "Agent/Get"], offers: agentMethods },
  { words: ["call", "--list", "Agent/Get"], offers: agentMethods },
  { words: ["call", "--auth", "az"], offers: ["azure", "azure-instance-identity"] },
  { words: ["status", "--state", "w"], offers: ["working"] },
  { words: ["sync", "-o", ""], offers: ["json", "table"] },
  // "status" is a command too
  { words: ["sync", "st"], offers: ["start", "status"] },
  { words: ["sync", "status", ""], offers: [] },
  { words: ["context", "a"], offers: ["add"] },
  { words: ["context", "add", "some"], offers: ["some.log"] },
  { words: ["logs", "some"], offers: ["some.log"] },
  { words: ["logs", "--source", "s", "other.txt", "so"], offers: ["some.log"] },
  { words: ["call", "--token-file", "so"], offers: ["some.log"] },
  { words: ["completion", ""], offers: ["bash", "fish", "zsh"] },
  { words: ["no-such-command", ""], offers: [] },
];

const isThere = (shell: string) => spawnSync(shell, ["--version"]).status === 0;

async function scriptOf(shell: string): Promise<string> {
  const { exitCode, stdout } = await toolResult(["completion", shell]);
  expect(exitCode).toBe(0);
  return stdout;
}

/** A folder with a file, where a shell is run. */
function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "agentwire-completion-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  writeFileSync(join(path, "some.log"), "");
  mkdirSync(join(path, "home"));
  return path;
}

/** Runs a program of a shell, and gives the lines that it prints, in order. */
function linesOf(shell: string, args: readonly string[], program: string, cwd: string): string[] {
  const env = { ...process.env, HOME: join(cwd, "home"), XDG_CONFIG_HOME: join(cwd, "home") };
  // fish does not read programs from a socket, which Node's pipes are
  const file = join(cwd, "home", "program");
  writeFileSync(file, program);
  const output = execFileSync(shell, [...args, file], { cwd, env, encoding: "utf8" });
  return output
    .split("\n")
    .filter((line) => line !== "")
    .sort();
}

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
const sorted = (words: readonly string[]) => [...words].sort();

describe("agentwire completion", () => {
  it.each([[[]], [["tcsh"]], [["bash", "zsh"]]])("refuses %j with 2", async (args) => {
    const { exitCode, stderr } = await toolResult(["completion", ...args]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("bash, zsh, fish");
  });

  it.each(["bash", "zsh", "fish"])("of %s has every command and every option", async (shell) => {
    const script = await scriptOf(shell);
    for (const { name, options } of commands) {
      expect(script).toContain(name);
      for (const option of Object.keys(options)) expect(script).toMatch(new RegExp(`(--|-l )${option}\\b`));
    }
  });
});

describe.skipIf(!isThere("bash"))("bash (skipped where it is not installed)", () => {
  const program = (script: string, words: readonly string[]) =>
    `${script}
COMP_WORDS=(agentwire ${words.map(quoted).join(" ")})
COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
_agentwire
printf '%s\\n' "\${COMPREPLY[@]}"`;

  it.each(questions)("offers what can stand there: $words", async ({ words, offers }) => {
    expect(linesOf("bash", ["--norc"], program(await scriptOf("bash"), words), folder())).toEqual(
      sorted(offers),
    );
  });

  it("takes --name=value for what it is", async () => {
    const script = await scriptOf("bash");
    const ask = (...words: string[]) => linesOf("bash", ["--norc"], program(script, words), folder());
    expect(ask("status", "--state", "=", "w")).toEqual(["working"]);
    expect(ask("status", "--state", "=")).toContain("working");
    expect(ask("call", "--url", "=", "http", "Agent/GetM")).toEqual(["Agent/GetManifest"]);
  });
});

describe.skipIf(!isThere("fish"))("fish (skipped where it is not installed)", () => {
  it.each(questions)("offers what can stand there: $words", async ({ words, offers }) => {
    const line = `agentwire ${words.map((word) => (word.includes(" ") ? quoted(word) : word)).join(" ")}`;
    const program = `${await scriptOf("fish")}\ncomplete -C ${quoted(line)}`;
    const found = linesOf("fish", ["--no-config"], program, folder()).map((one) => one.split("\t")[0] ?? "");
    expect(found).toEqual(sorted(offers));
  });
});

describe.skipIf(!isThere("zsh"))("zsh (skipped where it is not installed)", () => {
  // the real completion system, in a terminal of zsh's own, with what it would show written to a file
  const program = (words: readonly string[]) => `
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PS1= PS2= RPS1=; unset zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; source ./script'
zpty -w shell 'compadd() { local -a found; builtin compadd -O found "$@"; print -rl -- $found >> offered; builtin compadd "$@"; }'
zpty -w shell 'bindkey "^I" complete-word; zstyle ":completion:*" completer _complete; setopt no_beep; print ready > started'
repeat 100; do [[ -e started ]] && break; sleep 0.05; done
zpty -n -w shell ${quoted(`agentwire ${words.join(" ")}\t`)}
repeat 60; do [[ -e offered ]] && break; sleep 0.05; done
sleep 0.2
zpty -d shell
[[ -e offered ]] && sort -u offered
true`;

  it.each(questions)(
    "offers what can stand there: $words",
    async ({ words, offers }) => {
      const cwd = folder();
      writeFileSync(join(cwd, "script"), await scriptOf("zsh"));
      const found = linesOf("zsh", ["-f"], program(words), cwd).map((one) => one.replace(/=$/, ""));
      // where no argument can stand, zsh offers the options
      const isNothing = offers.length === 0;
      expect(isNothing ? found.filter((one) => !one.startsWith("-")) : found).toEqual(sorted(offers));
    },
    20_000,
  );
});
