import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { commands } from "../../src/cli/commands.js";
import { exitCodeHelp } from "../../src/cli/exit-codes.js";
import { toolResult } from "../support/terminal.js";

const root = new URL("../../", import.meta.url);

async function page(): Promise<string> {
  const { exitCode, stdout } = await toolResult(["man"]);
  expect(exitCode).toBe(0);
  return stdout;
}

const hasGroff = spawnSync("groff", ["--version"]).status === 0;

describe("agentwire man", () => {
  it("has its sections in the usual order", async () => {
    const sections = [...(await page()).matchAll(/^\.SH (.*)$/gm)].map(([, name]) => name);
    expect(sections).toEqual(["NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "EXIT STATUS", "ENVIRONMENT"]);
  });

  it("has every command, option and exit code", async () => {
    const text = (await page()).replaceAll("\\-", "-");
    for (const { name, options } of commands) {
      expect(text).toMatch(new RegExp(`^\\.SS "agentwire ${name} `, "m"));
      for (const option of Object.keys(options))
        expect(text).toMatch(new RegExp(`^\\.B (-. )?.*--${option}\\b`, "m"));
    }
    for (const [code] of exitCodeHelp) expect(text).toContain(`.TP\n.B ${code}\n`);
  });

  it("is the page of the package, which npm installs with the tool", async () => {
    const { man } = JSON.parse(readFileSync(new URL("package.json", root), "utf8")) as { man: string };
    const built = readFileSync(fileURLToPath(new URL(man, root)), "utf8");
    expect(built).toMatch(/^\.TH AGENTWIRE 1 /);
    expect(built).toContain('.SS "agentwire doctor ');
  });

  it.skipIf(!hasGroff)(
    "is read by groff without a warning, examples as they are (skipped without groff)",
    async () => {
      const args = ["-man", "-Tutf8", "-ww", "-rLL=200n", "-P-cbou"];
      const { stdout, stderr, status } = spawnSync("groff", args, { input: await page(), encoding: "utf8" });
      expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
      for (const { examples } of commands) {
        for (const example of examples)
          expect(stdout.replaceAll("‐", "-")).toContain(example.replace("…", "..."));
      }
    },
  );
});
