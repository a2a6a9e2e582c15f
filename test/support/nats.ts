import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/** A NATS server of the test's own. */
export interface TestNats {
  url: string;
  /** Ends it and starts another on the same port; `whileDown` happens between. */
  restart(whileDown?: () => Promise<void>): Promise<void>;
  stop(): Promise<void>;
}

const version = "v2.15.2";
const readyTimeoutMs = 30_000;

/**
 * Starts `nats-server` on a free port of 127.0.0.1: the one on PATH, or that which AGENTWIRE_NATS_SERVER names (the
 * program, or its folder), or one that is built with Go the first time. Undefined, and a loud word, where neither is.
 * @param args more arguments for it.
 */
export async function startNats(args: readonly string[] = []): Promise<TestNats | undefined> {
  const program = foundProgram() ?? builtProgram();
  if (program === undefined) {
    console.warn("\n*** There is neither nats-server nor Go to build it: its tests are SKIPPED. ***\n");
    return undefined;
  }
  let { child, port } = await start(program, -1, args);
  const endWithUs = () => child.kill("SIGKILL");
  process.once("exit", endWithUs);
  return {
    url: `nats://127.0.0.1:${port}`,
    async restart(whileDown) {
      await end(child);
      await whileDown?.();
      ({ child, port } = await start(program, port, args));
    },
    async stop() {
      process.off("exit", endWithUs);
      await end(child);
    },
  };
}

function foundProgram(): string | undefined {
  const named = process.env["AGENTWIRE_NATS_SERVER"];
  const onPath = (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "nats-server"));
  const candidates = named === undefined ? onPath : [named, join(named, "nats-server"), ...onPath];
  return candidates.find((each) => existsSync(each) && statSync(each).isFile());
}

function builtProgram(): string | undefined {
  const cache = fileURLToPath(new URL("../../node_modules/.cache/agentwire/", import.meta.url));
  const folder = join(cache, `nats-server-${version}`);
  const program = join(folder, "nats-server");
  if (existsSync(program)) return program;
  try {
    execFileSync("go", ["version"], { stdio: "ignore" });
  } catch {
    return undefined;
  }
  mkdirSync(folder, { recursive: true });
  console.warn(`building nats-server ${version}, once`);
  execFileSync("go", ["install", `github.com/nats-io/nats-server/v2@${version}`], {
    env: { ...process.env, GOBIN: folder },
    stdio: ["ignore", "inherit", "inherit"],
  });
  return program;
}

async function start(
  program: string,
  port: number,
  args: readonly string[],
): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(program, ["-a", "127.0.0.1", "-p", String(port), ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  const listensOn = await new Promise<number>((resolve, reject) => {
    const fail = (what: string) => {
      clearTimeout(timer);
      child.kill("SIGKILL");
      reject(new Error(`nats-server ${what}:\n${said}`));
    };
    const timer = setTimeout(() => fail(`was not ready within ${readyTimeoutMs} ms`), readyTimeoutMs);
    child.once("error", (error) => fail(error.message));
    child.once("exit", (code) => fail(`ended with ${code}`));
    child.stderr?.on("data", (chunk: Buffer) => {
      if (said.length < 100_000) said += chunk.toString();
      const found = /Listening for client connections on \S+:(\d+)/.exec(said)?.[1];
      if (found === undefined || !said.includes("Server is ready")) return;
      clearTimeout(timer);
      resolve(Number(found));
    });
  });
  child.removeAllListeners("exit");
  return { child, port: listensOn };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}
