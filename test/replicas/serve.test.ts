import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { dialAgent, LifecycleState } from "../../src/client/index-node.js";
import { eventually } from "../support/control-plane.js";
import { startPostgres } from "../support/postgres.js";
import { idBytes, tailnetProgram, talk, told } from "../support/tailnet.js";

const tool = fileURLToPath(new URL("../../dist/node/main.js", import.meta.url));
const adminToken = "the admin token of serve";

const postgres = await startPostgres();
afterAll(() => postgres?.stop());

interface Ready {
  url: string;
  agents: { id: string; token: string }[];
}

/** `agentwire serve` on the database, in a process of its own. */
async function serve(database: string): Promise<{ child: ChildProcess; ready: Ready }> {
  const args = [
    "serve",
    "--quiet",
    "--listen",
    "127.0.0.1:0",
    "--database",
    database,
    "--admin-token",
    adminToken,
  ];
  const child = spawn(process.execPath, [tool, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  const [line] = (await Promise.race([
    once(createInterface({ input: child.stdout }), "line"),
    exited.then(() => {
      throw new Error("serve ended before it was ready");
    }),
  ])) as [string];
  return { child, ready: JSON.parse(line) as Ready };
}

describe.skipIf(postgres === undefined)("three agentwire serve on one PostgreSQL", () => {
  it("have the same agent, which goes from one that is killed to the next, and loses nothing that was answered", async () => {
    const database = postgres?.url ?? "";
    const servers = [await serve(database), await serve(database), await serve(database)];
    const [{ id, token } = { id: "", token: "" }] = servers[0]?.ready.agents ?? [];
    for (const { ready } of servers) expect(ready.agents).toEqual([expect.objectContaining({ id, token })]);

    const lines: string[] = [];
    for (const [index, { child, ready }] of servers.entries()) {
      const connection = await dialAgent({ url: ready.url, token, proxy: false });
      onTestFinished(() => connection.close());
      await connection.agent.updateLifecycle({ lifecycle: { state: LifecycleState.READY } });
      const output = `line of server ${index}`;
      await connection.agent.batchCreateLogs({ logSourceId: new Uint8Array(16), logs: [{ output }] });
      lines.push(output);
      if (index === servers.length - 1) break;
      child.kill("SIGKILL");
      expect((await connection.closed).code).toBe("connection-lost");
    }

    const { url } = servers.at(-1)?.ready ?? { url: "" };
    const read = async <T>(path: string): Promise<T> => {
      const headers = { Authorization: `Bearer ${adminToken}` };
      return (await fetch(`${url}/api/v2/workspaceagents/${path}`, { headers })).json() as Promise<T>;
    };
    const logs = await read<{ output: string }[]>(`${id}/logs`);
    expect(logs.map(({ output }) => output)).toEqual(lines);
    await eventually(
      async () => (await read<{ status: string }>(id)).status === "connected",
      "connected to the last",
    );
    expect(await read<object>(id)).toMatchObject({ lifecycle_state: "ready" });
  }, 60_000);

  it("let a user's program on one reach an agent on another, and keep its peer id on a third", async () => {
    const database = postgres?.url ?? "";
    const servers = [await serve(database), await serve(database), await serve(database)];
    const [first, second, third] = servers.map(({ ready }) => ready);
    const [{ id, token } = { id: "", token: "" }] = first?.agents ?? [];
    const agent = await dialAgent({ url: first?.url ?? "", token, proxy: false });
    onTestFinished(() => agent.close());
    const agentTalk = talk(agent.tailnet);
    agentTalk.say({ updateSelf: { node: { addresses: [] } } });

    const program = await tailnetProgram(second ?? { url: "" }, "tailnet", { token: adminToken });
    const { token: resumeToken } = await program.tailnet.refreshResumeToken({});
    const client = talk(program.tailnet);
    client.say({ updateSelf: { node: { addresses: [] } }, addTunnel: { id: idBytes(id) } });
    expect(told(await client.next())).toEqual([expect.stringMatching(`^NODE ${id} `)]);
    expect(told(await agentTalk.next())).toEqual([expect.stringMatching(/^NODE /)]);

    const path = `tailnet?resume_token=${resumeToken}`;
    const resumed = await tailnetProgram(third ?? { url: "" }, path, { token: adminToken });
    const again = talk(resumed.tailnet);
    again.say({ updateSelf: { node: { addresses: [] } }, addTunnel: { id: idBytes(id) } });
    expect(told(await client.next())).toBe("peer ID overwritten by new connection");
    expect(told(await again.next())).toEqual([expect.stringMatching(`^NODE ${id} `)]);
  }, 60_000);
});
