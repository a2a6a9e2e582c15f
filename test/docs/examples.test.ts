import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, it, onTestFinished } from "vitest";
import { AppStatusState, dialAgent } from "../../src/client/index-node.js";
import { controlPlane, eventually, token } from "../support/control-plane.js";
import { type Example, exampleFor, examples, root } from "./examples.js";

describe("examples in the documents", () => {
  it("compile", () => {
    expect(examples().length).toBeGreaterThan(5);
    expect(mistakesIn(examples())).toEqual([]);
  }, 60_000);

  it.each(examples().filter(({ place, info }) => info === "run" || place.startsWith("docs/testing.md")))(
    "$place runs to its end",
    async (example) => {
      const { output, exit } = run(example, {});
      expect({ ...(await exit), stderr: output.stderr }).toEqual({ code: 0, stderr: "" });
    },
    60_000,
  );

  it("the five-minute client does what it says, on a control plane", async () => {
    const plane = await controlPlane({ apps: [{ slug: "assistant" }] });
    const { output, exit } = run(exampleFor("run-client"), {
      CODER_AGENT_URL: plane.url,
      CODER_AGENT_TOKEN: token,
    });
    expect({ ...(await exit), ...output }).toEqual({
      code: 0,
      stdout: "ada/dev, agent main\n",
      stderr: "",
    });
    const statuses = await plane.store.appStatuses({ agentId: plane.agents[0]?.id ?? "" }, 10);
    expect(statuses).toMatchObject([{ state: "idle", message: "waiting for you" }]);
  }, 60_000);

  it("the five-minute agent starts and ends in order, on a control plane", async () => {
    const plane = await controlPlane({
      scripts: [{ displayName: "Start", script: "true", runOnStart: true }],
    });
    const home = await mkdtemp(join(tmpdir(), "agentwire-"));
    onTestFinished(() => rm(home, { recursive: true, force: true }));
    const { child, exit, output } = run(exampleFor("run-agent"), {
      CODER_AGENT_URL: plane.url,
      CODER_AGENT_TOKEN: token,
      HOME: home,
    });
    const state = async () => (await plane.store.agent(plane.agents[0]?.id ?? ""))?.lifecycleState;
    await eventually(async () => (await state()) === "ready", "ready", 30_000);
    child.kill("SIGTERM");
    expect(await exit).toEqual({ code: 0 });
    expect(await state()).toBe("off");
    expect(output.stderr).toBe("");
  }, 60_000);

  it("the five-minute server answers a client, and refuses one without its token", async () => {
    const { child, output } = run(exampleFor("run-server"), { AGENT_TOKEN: "secret", PORT: "0" });
    const url = `http://127.0.0.1:${await portOf(child)}`;
    await expect(dialAgent({ url, token: "other" })).rejects.toMatchObject({
      status: 401,
      reason: "Workspace agent not authorized.",
    });
    await using connection = await dialAgent({ url, token: "secret" });
    expect(await connection.agent.getManifest({})).toMatchObject({ agentName: "main", ownerUsername: "ada" });
    await connection.agent.updateAppStatus({ slug: "a", state: AppStatusState.IDLE, message: "hello" });
    await eventually(() => output.stdout === "a: hello\n", "the handler's line");
    expect(output.stderr).toBe("");
  }, 60_000);
});

/** What the compiler says of them, as `README.md:42: text`. */
function mistakesIn(all: readonly Example[]): string[] {
  const files = new Map(all.map((example, index) => [`${root}test/docs/example-${index}.ts`, example]));
  const options: ts.CompilerOptions = {
    ...ts.parseJsonConfigFileContent(
      ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile).config,
      ts.sys,
      root,
    ).options,
    paths: {
      "agentwire/agent": [`${root}src/agent/index.ts`],
      "agentwire/client/agent": [`${root}src/client/agent/index-node.ts`],
      "agentwire/client": [`${root}src/client/index-node.ts`],
      "agentwire/local": [`${root}src/local/index.ts`],
      "agentwire/observe/prometheus": [`${root}src/observe/prometheus.ts`],
      "agentwire/observe/opentelemetry": [`${root}src/observe/opentelemetry.ts`],
      "agentwire/observe": [`${root}src/observe/index.ts`],
      "agentwire/server": [`${root}src/server/index.ts`],
      "agentwire/testing": [`${root}src/testing/index.ts`],
      "agentwire/store/sql": [`${root}src/store/sql/index.ts`],
      "agentwire/gen/agent": [`${root}src/gen/coder/agent/v2/agent_pb.ts`],
    },
    // what is left over in an example is there to be seen
    noUnusedLocals: false,
  };
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists } = host;
  host.readFile = (name) => {
    const example = files.get(name);
    return example === undefined ? readFile(name) : sourceOf(example);
  };
  host.fileExists = (name) => files.has(name) || fileExists(name);
  const getSourceFile = host.getSourceFile.bind(host);
  host.getSourceFile = (name, ...more) => {
    const example = files.get(name);
    return example === undefined
      ? getSourceFile(name, ...more)
      : ts.createSourceFile(name, sourceOf(example), ts.ScriptTarget.ES2022);
  };
  const program = ts.createProgram([...files.keys()], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => {
    const place = file === undefined ? "" : (files.get(file.fileName)?.place ?? file.fileName);
    return `${place}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
  });
}

function sourceOf({ info, code }: Example): string {
  if (info !== "with-connection") return `${code}export {};\n`;
  return `import type { AgentConnection } from "agentwire/client";\ndeclare const connection: AgentConnection;\n${code}`;
}

/** Runs an example as a program of its own, with the built package; it is ended with the test. */
function run({ code }: Example, env: Record<string, string>) {
  const { outputText } = ts.transpileModule(code, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
  });
  // the port that it has got is for the test
  const told = outputText.replace(
    /^(server\.listen\(.*)\);$/m,
    "$1, () => process.send(server.address().port));",
  );
  const child = spawn(process.execPath, ["--input-type=module", "--eval", told], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const output = { stdout: "", stderr: "" };
  child.stdout?.on("data", (chunk: Buffer) => {
    output.stdout += chunk.toString();
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    output.stderr += chunk.toString();
  });
  const exit = once(child, "close").then(([exitCode]) => ({ code: exitCode as number | null }));
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await exit;
  });
  return { child, output, exit };
}

async function portOf(child: ChildProcess): Promise<number> {
  const [port] = (await Promise.race([
    once(child, "message"),
    once(child, "exit").then(() => {
      throw new Error("the example ended before it listened");
    }),
  ])) as [number];
  return port;
}
