import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** A PostgreSQL server of the test's own. */
export interface TestPostgres {
  /** Of an empty database. */
  url: string;
  stop(): Promise<void>;
}

const readyTimeoutMs = 60_000;
const stopTimeoutMs = 20_000;
const debianFolder = "/usr/lib/postgresql";

/**
 * Starts PostgreSQL on a free port of 127.0.0.1, its data in a temporary folder. Undefined, and a loud word, where it
 * is not installed.
 * @param options.durable what is committed survives a crash, as in earnest; by default it does not, which is faster.
 */
export async function startPostgres(options: { durable?: boolean } = {}): Promise<TestPostgres | undefined> {
  const programs = programsFolder();
  if (programs === undefined) {
    console.warn("\n*** PostgreSQL is not installed: the tests that need it are SKIPPED. ***\n");
    return undefined;
  }
  const user = unprivilegedUser();
  const folder = mkdtempSync(join(tmpdir(), "agentwire-postgres-"));
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  const data = join(folder, "data");
  const run = { ...user, cwd: folder, env: { PATH: process.env["PATH"], LC_ALL: "C" } };
  try {
    execFileSync(
      join(programs, "initdb"),
      ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"],
      { ...run, stdio: ["ignore", "ignore", "pipe"] },
    );
    const port = await freePort();
    const settings = { listen_addresses: "127.0.0.1", port, unix_socket_directories: folder };
    const careless = { fsync: "off", synchronous_commit: "off", full_page_writes: "off" };
    const given = Object.entries({ ...settings, ...(options.durable === true ? {} : careless) });
    const args = ["-D", data, ...given.flatMap(([name, value]) => ["-c", `${name}=${value}`])];
    const child = spawn(join(programs, "postgres"), args, { ...run, stdio: ["ignore", "ignore", "pipe"] });
    const endWithUs = () => child.kill("SIGQUIT");
    process.once("exit", endWithUs);
    await untilReady(child);
    return {
      url: `postgres://postgres@127.0.0.1:${port}/postgres`,
      async stop() {
        process.off("exit", endWithUs);
        await end(child);
        rmSync(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Debian keeps them apart by version; elsewhere they are on PATH. */
function programsFolder(): string | undefined {
  const versions = existsSync(debianFolder) ? readdirSync(debianFolder) : [];
  const newestFirst = versions.sort((a, b) => Number(b) - Number(a)).map((v) => join(debianFolder, v, "bin"));
  const onPath = (process.env["PATH"] ?? "").split(delimiter).filter((each) => each !== "");
  return [...newestFirst, ...onPath].find((each) =>
    ["initdb", "postgres"].every((name) => existsSync(join(each, name))),
  );
}

/** PostgreSQL refuses to run as root: root runs it as somebody else. */
function unprivilegedUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = (name: string, flag: "-u" | "-g") => {
    const { status, stdout } = spawnSync("id", [flag, name], { encoding: "utf8" });
    return status === 0 ? Number(stdout.trim()) : undefined;
  };
  for (const name of ["postgres", "nobody"]) {
    const uid = idOf(name, "-u");
    const gid = idOf(name, "-g");
    if (uid !== undefined && gid !== undefined) return { uid, gid };
  }
  throw new Error("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as");
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function untilReady(child: ChildProcess): Promise<void> {
  let said = "";
  await new Promise<void>((resolve, reject) => {
    const tooLong = () => fail(`was not ready within ${readyTimeoutMs} ms`);
    const timer = setTimeout(tooLong, readyTimeoutMs);
    const fail = (what: string) => {
      clearTimeout(timer);
      child.kill("SIGKILL");
      reject(new Error(`PostgreSQL ${what}:\n${said}`));
    };
    child.once("exit", (code) => fail(`ended with ${code}`));
    child.stderr?.on("data", (chunk: Buffer) => {
      if (said.length < 100_000) said += chunk.toString();
      if (!said.includes("database system is ready to accept connections")) return;
      clearTimeout(timer);
      resolve();
    });
  });
  child.removeAllListeners("exit");
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  const timer = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
  child.kill("SIGINT"); // ends sessions, then itself
  await exited;
  clearTimeout(timer);
}
