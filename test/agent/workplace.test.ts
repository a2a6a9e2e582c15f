import { mkdtemp, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { runCommand } from "../../src/agent/scripts/command.js";
import { type WorkplaceOptions, workplaceOf } from "../../src/agent/workspace/workplace.js";
import { ManifestSchema } from "../../src/gen/coder/agent/v2/agent_pb.js";

type Layer = "process" | "known" | "manifest" | "secret" | "agent";

const name = "CODER_WORKSPACE_NAME";

const options: WorkplaceOptions = {
  url: "https://coder.example.com",
  token: "t0ken",
  binDirectory: "/bin-of-agent",
  dataDirectory: "/data",
  environment: {},
  onWarning: () => {},
};

/** The environment where some layers have the same variable, each with its own name as the value. */
async function environmentWith(layers: readonly Layer[], more: Record<string, string> = {}) {
  const has = (layer: Layer) => layers.includes(layer);
  if (has("process")) vi.stubEnv(name, "process");
  const warnings: string[] = [];
  const workplace = await workplaceOf(
    create(ManifestSchema, {
      workspaceName: has("known") ? "known" : "",
      environmentVariables: { ...(has("manifest") ? { [name]: "manifest" } : {}), ...more },
      secrets: has("secret") ? [{ envName: name, value: Buffer.from("secret") }] : [],
    }),
    {
      ...options,
      environment: has("agent") ? { [name]: "agent" } : {},
      onWarning: (text) => warnings.push(text),
    },
  );
  vi.unstubAllEnvs();
  return { ...workplace, warnings };
}

describe("the environment of commands (C4.84)", () => {
  const order: Layer[] = ["process", "known", "manifest", "secret", "agent"];
  const pairs = order.flatMap((lower, i) => order.slice(i + 1).map((higher) => [lower, higher] as const));

  it.each(pairs)("has less of %s than of %s", async (lower, higher) => {
    expect((await environmentWith([lower, higher])).environment[name]).toBe(higher);
    expect((await environmentWith([higher, lower])).environment[name]).toBe(higher);
  });

  it("fills names that nobody sets from the process", async () => {
    vi.stubEnv("AGENTWIRE_ONLY_HERE", "here");
    expect((await environmentWith([])).environment["AGENTWIRE_ONLY_HERE"]).toBe("here");
  });

  it("says what is known of the workspace", async () => {
    expect((await environmentWith([])).environment).toMatchObject({
      CODER: "true",
      CODER_AGENT_URL: "https://coder.example.com",
      CODER_AGENT_TOKEN: "t0ken",
      CODER_SCRIPT_BIN_DIR: "/bin-of-agent",
      CS_DISABLE_GETTING_STARTED_OVERRIDE: "true",
    });
  });

  it("expands variables of the manifest, and not secrets", async () => {
    vi.stubEnv("AGENTWIRE_WHO", "ada");
    const { environment } = await environmentWith([], {
      A: `$AGENTWIRE_WHO/$${"{AGENTWIRE_WHO}"}`,
      B: "-$NONE-",
    });
    expect(environment).toMatchObject({ A: "ada/ada", B: "--" });
    const secret = create(ManifestSchema, { secrets: [{ envName: "S", value: Buffer.from("a$CODER") }] });
    expect((await workplaceOf(secret, options)).environment["S"]).toBe("a$CODER");
  });

  it("has the agent's programs first on its PATH, whoever has set it", async () => {
    vi.stubEnv("PATH", "/process");
    expect((await environmentWith([])).environment["PATH"]).toBe(`/bin-of-agent${delimiter}/process`);
    vi.stubEnv("PATH", "/process");
    const { environment } = await environmentWith([], { PATH: "/mine:$PATH" });
    expect(environment["PATH"]).toBe(`/bin-of-agent${delimiter}/mine:/process`);
  });

  it("leaves out what no environment can have, and says so: commands start all the same", async () => {
    const { environment, warnings } = await environmentWith([], { BAD: "a\0b", "": "nameless", GOOD: "1" });
    expect(warnings).toEqual(["variable BAD has a NUL and is left out"]);
    const chunks: Buffer[] = [];
    const { status } = await runCommand({
      script: 'echo "$GOOD"',
      directory: tmpdir(),
      environment,
      signal: new AbortController().signal,
      onStdout: (chunk) => void chunks.push(chunk),
      onStderr: () => {},
    });
    expect({ status, out: Buffer.concat(chunks).toString() }).toEqual({ status: "ok", out: "1\n" });
  });
});

describe("the directory of commands", () => {
  const directoryOf = async (directory: string) =>
    (await workplaceOf(create(ManifestSchema, { directory }), options)).directory;

  it("is the manifest's where it exists, else the home directory", async () => {
    const folder = await mkdtemp(join(tmpdir(), "agentwire-workplace-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    expect(await directoryOf(folder)).toBe(folder);
    expect(await directoryOf(join(folder, "missing"))).toBe(homedir());
    expect(await directoryOf("/dev/null")).toBe(homedir());
    expect(await directoryOf("")).toBe(homedir());
  });
});
