import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

export const adminToken = "the admin token of replicas";

/** How soon an agent that has vanished counts as disconnected. */
const disconnectTimeoutMs = 1_500;

/** A control plane in a process of its own, made of the built package. */
const program = `
  const { startControlPlane, openPostgresEvents, openNatsEvents } = await import("agentwire/server");
  const { openPostgresStore } = await import("agentwire/store/sql");
  const { postgres, nats, ...options } = JSON.parse(process.argv[1]);
  const plane = await startControlPlane({
    ...options,
    store: await openPostgresStore(postgres),
    events: nats === undefined ? await openPostgresEvents(postgres) : await openNatsEvents(nats),
  });
  console.log(plane.url);
  process.once("SIGTERM", async () => {
    await plane.close(2_000);
    process.exit(0);
  });
`;

export interface Replica {
  url: string;
  /** At once, as a crash. */
  kill(): Promise<void>;
  /** In order. @returns the exit code. */
  end(): Promise<number | null>;
}

/** Starts a replica on a database; it is ended with the test. */
export async function startReplica(on: { postgres: string; nats: string | undefined }): Promise<Replica> {
  const monitor = { updateIntervalMs: 300, disconnectTimeoutMs };
  const workspaces = [{ owner: "ada", name: "dev", agents: [{ name: "main", apps: [{ slug: "ai" }] }] }];
  const options = JSON.stringify({ ...on, adminToken, monitor, metadataIntervalMs: 200, workspaces });
  const child: ChildProcess = spawn(process.execPath, ["--input-type=module", "--eval", program, options], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  if (child.stdout === null) throw new Error("the replica has no output");
  const [url] = (await Promise.race([
    once(createInterface({ input: child.stdout }), "line"),
    exited.then(() => {
      throw new Error("the replica ended before it was ready");
    }),
  ])) as [string];
  return {
    url,
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
    async end() {
      child.kill("SIGTERM");
      const [code] = (await exited) as [number | null];
      return code;
    },
  };
}
