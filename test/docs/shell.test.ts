import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { helpOf, parseArguments } from "../../src/cli/command.js";
import { commands } from "../../src/cli/commands.js";
import { exitCodes } from "../../src/cli/exit-codes.js";
import { methodNamed } from "../../src/cli/rpc/services.js";
import { withUuidBytes } from "../../src/cli/uuid-fields.js";
import { AdminService } from "../../src/gen/agentwire/admin/v1/admin_pb.js";
import { shellCommands } from "../support/shell-words.js";
import { root } from "./examples.js";
import { blocksOf, pages, proseOf } from "./pages.js";

const names = commands.map(({ name }) => name).join("|");
const isCommandLine = new RegExp(`^(?:npx )?agentwire(?: |$)|^(?:${names}) (?:.* )?--?[a-z]`);
/** What the tool knows without a command. */
const globalOptions = new Set(["--version", "-v", "--help", "-h", "help"]);

/** The calls of the tool in the shell examples of the documents, and in their sentences: their arguments. */
const calls = pages().flatMap((page) => {
  const blocks = blocksOf(page)
    .filter(({ language }) => language === "sh")
    .flatMap(({ code }) => code.replaceAll("\\\n", " ").split("\n"));
  const spans = [...proseOf(page).matchAll(/`([^`\n]+)`/g)]
    .map(([, span = ""]) => span)
    .filter((span) => isCommandLine.test(span) && !span.includes("COMMAND"))
    .map((span) => (/^(?:npx )?agentwire\b/.test(span) ? span : `agentwire ${span}`));
  return [...blocks, ...spans]
    .flatMap(shellCommands)
    .map((words) => (words[0] === "npx" ? words.slice(1) : words))
    .filter(([program, name = ""]) => program === "agentwire" && name !== "" && !globalOptions.has(name))
    .map(([, ...args]) => ({ page: page.path, args }));
});

describe("calls of the tool in the documents", () => {
  it("are there", () => {
    expect(calls.length).toBeGreaterThan(80);
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

describe("requests in the shell examples of the documents", () => {
  const ofTheTool = calls
    .filter(({ args: [name, ...rest] }) => name === "call" && rest.some((word) => word.includes("/")))
    .filter(({ args }) => !args.includes("--describe"))
    .map(({ args }) => {
      const [rpc = "", json = "{}"] = args.slice(1).filter((word) => /^[{A-Z]/.test(word));
      return { rpc, json };
    });
  const ofCurl = pages()
    .flatMap(blocksOf)
    .filter(({ language }) => language === "sh")
    .flatMap(({ code }) => shellCommands(code.replaceAll("\\\n", " ").replaceAll("\n", ";")))
    .filter(([program]) => program === "curl")
    .map((words) => ({
      rpc: /[a-z0-9.]+\.[A-Za-z]+\/[A-Za-z]+$/.exec(words.at(-1) ?? "")?.[0] ?? "",
      json: words[words.indexOf("-d") + 1] ?? "",
    }));

  it("are there", () => {
    expect(ofTheTool.length).toBeGreaterThan(5);
    expect(ofCurl.length).toBeGreaterThan(1);
  });

  it.each([...ofTheTool, ...ofCurl])(
    "are of RPCs that there are, with their messages: $rpc $json",
    ({ rpc, json }) => {
      const method = rpc.startsWith(AdminService.typeName)
        ? AdminService.methods.find(({ name }) => rpc.endsWith(`/${name}`))
        : methodNamed(rpc);
      if (method === undefined) throw new Error(`there is no RPC ${rpc}`);
      const message = withUuidBytes(method.input, JSON.parse(json) as JsonValue);
      expect(() => fromJson(method.input, message)).not.toThrow();
    },
  );
});

describe("blocks of code in the documents", () => {
  const blocks = pages().flatMap((page) => blocksOf(page).map((block) => ({ ...block, page: page.path })));

  it("are of languages that a test reads, or are no code", () => {
    const languages = new Set(blocks.map(({ language }) => language.split(" ")[0]));
    // text, and what has no language, is output and drawings
    expect([...languages].sort()).toEqual(["", "json", "sh", "text", "ts"]);
  });

  it.each(blocks.filter(({ language }) => language === "json"))(
    "are JSON where they say so: $page",
    ({ code }) => {
      expect(() => JSON.parse(code) as unknown).not.toThrow();
    },
  );

  it.each(blocks.filter(({ language }) => language === "sh"))(
    "are commands of which each line can be read: $page $code",
    ({ code }) => {
      const { status, stderr } = spawnSync("sh", ["-n"], { input: code, encoding: "utf8" });
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    },
  );
});

describe("docs/shell.md", () => {
  const page = readFileSync(`${root}docs/shell.md`, "utf8");

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
