import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { helpOf, parseArguments } from "../../src/cli/command.js";
import { commands } from "../../src/cli/commands.js";
import { exitCodes } from "../../src/cli/exit-codes.js";
import { shellCommands } from "../support/shell-words.js";
import { root } from "./examples.js";

const pages = ["README.md", ...readdirSync(`${root}docs`).map((page) => `docs/${page}`)].filter((page) =>
  page.endsWith(".md"),
);
const textOf = (page: string) => readFileSync(`${root}${page}`, "utf8");

/** The calls of the tool in the shell examples of the documents: their arguments. */
const calls = pages.flatMap((page) =>
  [...textOf(page).matchAll(/^```sh\n([\s\S]*?)^```$/gm)]
    .flatMap(([, block = ""]) => block.replaceAll("\\\n", " ").split("\n"))
    .flatMap(shellCommands)
    .map((words) => (words[0] === "npx" ? words.slice(1) : words))
    .filter(([program]) => program === "agentwire")
    .map(([, ...args]) => ({ page, args })),
);

describe("shell examples of the documents", () => {
  it("are there", () => {
    expect(calls.length).toBeGreaterThan(20);
  });

  it.each(calls)(
    "are of commands with the options that they have: $page $args",
    ({ args: [name, ...rest] }) => {
      const command = commands.find((one) => one.name === name);
      if (command === undefined) throw new Error(`there is no command ${name}`);
      expect(() => parseArguments(command, rest)).not.toThrow();
    },
  );
});

describe("docs/shell.md", () => {
  const page = textOf("docs/shell.md");

  it("has every command, in the order of the help", () => {
    const listed = [...page.matchAll(/^\| `agentwire ([a-z]+)` +\|/gm)].map(([, name]) => name);
    expect(listed).toEqual(commands.map(({ name }) => name));
  });

  it("has every exit code", () => {
    const listed = [...page.matchAll(/^\| (\d+) +\|/gm)].map(([, code]) => Number(code));
    expect(listed).toEqual(Object.values(exitCodes));
  });

  it.each(commands)("says of $name whether it has --json", (command) => {
    const [, cell = ""] =
      new RegExp(`^\\| \`agentwire ${command.name}\`.*\\| (.*?) +\\|$`, "m").exec(page) ?? [];
    const isSaid = cell !== "no" && !cell.startsWith("always: ");
    expect(isSaid).toBe(helpOf(command).includes("--json "));
  });
});
