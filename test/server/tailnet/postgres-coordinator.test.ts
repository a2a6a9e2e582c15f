import { randomUUID } from "node:crypto";
import pg from "pg";
import { describe, expect, it, onTestFinished } from "vitest";
import type { CoordinatorLimits } from "../../../src/server/tailnet/coordinator.js";
import {
  openPostgresCoordinator,
  type PostgresCoordinatorOptions,
} from "../../../src/server/tailnet/postgres/index.js";
import { eventually } from "../../support/control-plane.js";
import { startPostgres } from "../../support/postgres.js";
import { type PostgresOfTests, postgresOfTests } from "../../support/postgres-of-tests.js";
import { timeoutMs } from "../../support/scale.js";
import { startTcpProxy } from "../events/tcp-proxy.js";
import { observed } from "./beacons.js";
import { coordinatorCompliance } from "./coordinator-compliance.js";
import { coordinatorModel } from "./coordinator-model.js";
import { TestPeer } from "./test-peer.js";

/** Short heartbeats: whoever is gone is missed after 0.6 s. */
const quick = { heartbeatIntervalMs: 200, maxBackoffMs: 20 };

describe("with PostgreSQL", () => {
  const postgres = postgresOfTests();

  async function opened(options: PostgresCoordinatorOptions = {}, at = postgres.url) {
    const problems: string[] = [];
    const onProblem = ({ message }: Error) => void problems.push(message);
    const coordinator = await openPostgresCoordinator(at, { onProblem, ...options });
    onTestFinished(() => coordinator.close());
    return { coordinator, problems };
  }

  /** One that reaches the server by way of a proxy. */
  async function proxied(options: PostgresCoordinatorOptions = {}) {
    const proxy = await startTcpProxy(postgres.url);
    onTestFinished(() => proxy.stop());
    return { proxy, ...(await opened(options, proxy.url)) };
  }

  async function replicas(count: number, options: PostgresCoordinatorOptions) {
    const opening = Array.from({ length: count }, () => openPostgresCoordinator(postgres.url, options));
    const all = await Promise.all(opening);
    const close = async () => {
      await Promise.all(all.map((each) => each.close()));
      expect(await rowCounts(postgres)).toEqual([0, 0, 0]);
    };
    return { replicas: all, close };
  }

  /** Ends every connection of a kind, as a server does that is told to. */
  async function cut(which = "true") {
    await postgres.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'agentwire tailnet' and ${which}`,
    );
  }

  coordinatorCompliance("one coordinator over PostgreSQL", (limits) => replicas(1, { limits: limits ?? {} }));
  coordinatorCompliance("three coordinators over PostgreSQL", (limits) =>
    replicas(3, { limits: limits ?? {} }),
  );

  describe("random peers know what they may know", () => {
    async function model(count: number, numRuns: number) {
      const made = new Map<string, ReturnType<typeof make>>();
      const make = async (limits?: CoordinatorLimits) => {
        const all = await replicas(count, { limits: limits ?? {}, maxBackoffMs: 20 });
        onTestFinished(() => all.close());
        return observed(all.replicas);
      };
      let settle = () => Promise.resolve();
      const shared = async (limits?: CoordinatorLimits) => {
        // the same for all runs
        const key = JSON.stringify(limits);
        const each = made.get(key) ?? make(limits);
        made.set(key, each);
        ({ settle } = await each);
        return { replicas: (await each).replicas, close: () => settle() };
      };
      await coordinatorModel(shared, { settle: () => settle(), numRuns, maxSteps: 40 });
    }

    it.each([1, 3])("on %i", (count) => model(count, 12), timeoutMs(120_000));

    it(
      "on three whose connections are cut at random",
      async () => {
        let isOver = false;
        const cutting = (async () => {
          while (!isOver) {
            await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 200));
            await cut(Math.random() < 0.2 ? "true" : "random() < 0.3");
          }
        })();
        try {
          await model(3, 8);
        } finally {
          isOver = true;
          await cutting;
        }
      },
      timeoutMs(120_000),
    );
  });

  it.each(["cut", "silent"])(
    "S4.25 a replica whose connections are %s is unhealthy; then it goes on",
    async (how) => {
      const { proxy, coordinator, problems } = await proxied(quick);
      const other = await opened(quick);
      const [agent, client] = [new TestPeer(coordinator), new TestPeer(other.coordinator)];
      await agent.update(1n);
      await client.update(2n);
      await client.addTunnel(agent);
      await Promise.all([agent.heard(1), client.heard(1)]);
      if (how === "silent") proxy.stall();
      else proxy.refuse(true);
      await agent.ended();
      expect(agent.errors).toEqual(["coordinator unhealthy"]);
      expect(coordinator.peerCount).toBe(0);
      expect(problems.at(-1)).toMatch(
        /^PostgreSQL has not answered for 600 ms, so all tailnet peers are sent away/,
      );
      expect((await client.heard(2))[1]).toEqual({ of: agent.id, kind: "LOST", reason: "lost" });
      if (how === "cut") {
        const early = new TestPeer(coordinator, { id: agent.id });
        await early.ended();
        expect([early.errors, early.news]).toEqual([["coordinator unhealthy"], []]);
        proxy.refuse(false);
      }
      let again = new TestPeer(coordinator, { id: agent.id });
      await eventually(() => {
        if (again.isOver) again = new TestPeer(coordinator, { id: agent.id });
        return !again.isOver && again.known.has(client.id);
      }, "the agent's return");
      await again.update(3n);
      expect((await client.heard(3))[2]).toEqual({
        of: agent.id,
        kind: "NODE",
        node: 3n,
        reason: "node update",
      });
    },
  );

  it("a connection that is lost and made again in time costs peers nothing", async () => {
    const { proxy, coordinator } = await proxied({ maxBackoffMs: 20 });
    const other = await opened();
    const [agent, client] = [new TestPeer(coordinator), new TestPeer(other.coordinator)];
    await agent.update(1n);
    await client.addTunnel(agent);
    await client.heard(1);
    await client.update(2n);
    await agent.heard(1);
    proxy.refuse(true);
    await client.update(4n);
    void agent.update(3n);
    await client.handled();
    proxy.refuse(false);
    const node = { kind: "NODE", reason: "node update" };
    expect((await client.heard(2))[1]).toEqual({ of: agent.id, node: 3n, ...node });
    expect((await agent.heard(2))[1]).toEqual({ of: client.id, node: 4n, ...node });
    expect([agent.isOver, client.isOver]).toEqual([false, false]);
  });

  it("a replica that is taken for gone while it is there writes its peers anew", async () => {
    const { coordinator, problems } = await opened(quick);
    const [agent, client] = [new TestPeer(coordinator), new TestPeer(coordinator)];
    await agent.update(1n);
    await agent.handled();
    await client.addTunnel(agent);
    await client.heard(1);
    await postgres.query("delete from agentwire_tailnet_coordinators");
    expect(await rowCounts(postgres)).toEqual([0, 0, 0]);
    const late = new TestPeer(coordinator);
    await late.addTunnel(agent);
    await agent.update(2n);
    await late.until(() => late.known.get(agent.id) === 2n, "the node");
    await client.until(() => client.known.get(agent.id) === 2n, "the node");
    await eventually(async () => (await rowCounts(postgres)).join() === "1,3,2", "all rows");
    expect(problems).toEqual([
      "PostgreSQL had forgotten the tailnet peers of this process: they are written anew",
    ]);
    expect([agent.faults, client.faults, late.faults]).toEqual([[], [], []]);
  });

  it("a message that cannot be read is told of, and all is read anew", async () => {
    const { coordinator, problems } = await opened();
    const [agent, client] = [new TestPeer(coordinator), new TestPeer(coordinator)];
    await agent.update(1n);
    await client.addTunnel(agent);
    await client.heard(1);
    const node = Buffer.from([0x08, 0x07]); // id = 7
    await postgres.query("update agentwire_tailnet_peers set node = $1 where id = $2", [node, agent.id]);
    await postgres.query("select pg_notify('agentwire_tailnet', 'node:what')");
    await client.until(() => client.known.get(agent.id) === 7n, "what was written unheard");
    expect(problems).toEqual(["A message on agentwire_tailnet cannot be read: an id is not a UUID."]);
  });

  it("S4.24 of two replicas that take the same id at once one keeps it", async () => {
    const all = await replicas(2, {});
    onTestFinished(() => all.close());
    const id = randomUUID();
    const both = all.replicas.map((replica) => new TestPeer(replica, { id }));
    await eventually(() => both.some(({ isOver }) => isOver), "the end of one");
    const [out, stays] = both[0]?.isOver ? both : [both[1], both[0]];
    expect(out?.errors).toEqual(["peer ID overwritten by new connection"]);
    await stays?.update(1n);
    await stays?.handled();
    const { rows } = await postgres.query("select node is not null as told from agentwire_tailnet_peers");
    expect(rows).toEqual([{ told: true }]);
  });

  it("what 1,000 peers say at once is written in few statements", async () => {
    const { proxy, coordinator } = await proxied();
    const peers = Array.from({ length: 1000 }, () => new TestPeer(coordinator));
    await Promise.all(peers.map((peer) => peer.handled()));
    const statements = () => proxy.said().split("agentwire_tailnet_write").length - 1;
    const before = statements();
    for (const peer of peers) void peer.update(1n);
    await eventually(async () => (await nodeCount()) === 1000, "1,000 nodes");
    expect(statements() - before).toBeLessThan(10);
  });

  it("takes two connections, and gives them back", async () => {
    const { proxy, coordinator } = await proxied();
    const peers = Array.from({ length: 20 }, () => new TestPeer(coordinator));
    await Promise.all(peers.map((peer) => peer.handled()));
    expect(proxy.connectionCount).toBe(2);
    await coordinator.close();
    await eventually(() => proxy.connectionCount === 0, "the end of both");
    expect(await rowCounts(postgres)).toEqual([0, 0, 0]);
  });

  it("a permission that is missing is said at once, and what the database refuses later not in its words", async () => {
    const { coordinator: owner } = await opened();
    await postgres.query("create role guest login");
    await postgres.query("grant select, insert, update, delete on all tables in schema public to guest");
    const guestUrl = postgres.url.replace("postgres@", "guest@");
    const sequence = "agentwire_tailnet_connections";
    await expect(opened({}, guestUrl)).rejects.toThrow(
      `PostgreSQL cannot be used for the tailnet: permission denied for sequence ${sequence}`,
    );
    await postgres.query(`grant usage on sequence ${sequence} to guest`);
    await postgres.query("revoke delete on agentwire_tailnet_tunnels from guest");
    await expect(opened({}, guestUrl)).rejects.toThrow(
      "permission denied for table agentwire_tailnet_tunnels",
    );
    await postgres.query("grant delete on agentwire_tailnet_tunnels to guest");
    const { coordinator, problems } = await opened({}, guestUrl);
    await postgres.query(`revoke usage on sequence ${sequence} from guest`);
    const peer = new TestPeer(coordinator);
    await peer.ended();
    expect(peer.errors).toEqual(["the coordinator's database refused it"]);
    expect(problems).toEqual([expect.stringContaining(`permission denied for sequence ${sequence}`)]);
    await coordinator.close();
    await owner.close();
    await postgres.query("drop owned by guest; drop role guest");
  });

  it("close ends in time, whatever the connections do", async () => {
    const { proxy, coordinator } = await proxied({ timeoutMs: 200 });
    const peer = new TestPeer(coordinator);
    await peer.handled();
    proxy.stall();
    void peer.update(1n);
    await coordinator.close();
    await peer.ended();
    expect(peer.errors).toEqual(["coordinator closed"]);
    await postgres.query("delete from agentwire_tailnet_coordinators");
  });

  async function nodeCount(): Promise<number> {
    const { rows } = await postgres.query("select count(node)::int as nodes from agentwire_tailnet_peers");
    return rows[0].nodes;
  }
});

it("a database that crashes and comes back is told all anew, and nobody loses anybody", async ({ skip }) => {
  const server = await startPostgres();
  if (server === undefined) return skip("PostgreSQL is not installed");
  onTestFinished(() => server.stop());
  const problems: string[] = [];
  const onProblem = ({ message }: Error) => void problems.push(message);
  const open = () => openPostgresCoordinator(server.url, { onProblem, maxBackoffMs: 50 });
  const [a, b] = [await open(), await open()];
  onTestFinished(() => Promise.all([a.close(), b.close()]).then(() => {}));
  const [agent, client] = [new TestPeer(a), new TestPeer(b)];
  await agent.update(1n);
  await client.update(2n);
  await client.addTunnel(agent);
  await Promise.all([agent.heard(1), client.heard(1)]);
  await crash(server.url);
  await eventually(() => problems.filter((text) => /written anew/.test(text)).length === 2, "both", 15_000);
  await agent.update(3n);
  await client.update(4n);
  expect((await client.heard(2)).map(({ kind, node }) => [kind, node])).toEqual([
    ["NODE", 1n],
    ["NODE", 3n],
  ]);
  expect((await agent.heard(2)).map(({ kind, node }) => [kind, node])).toEqual([
    ["NODE", 2n],
    ["NODE", 4n],
  ]);
});

describe("without a server", () => {
  it("opening fails with one sentence", async () => {
    const opening = openPostgresCoordinator("postgres://ada:secret-word@127.0.0.1:1/db");
    await expect(opening).rejects.toThrow(/^PostgreSQL cannot be used for the tailnet: .*ECONNREFUSED/);
  });

  it("a URL that is none is said without what is in it", async () => {
    const opening = openPostgresCoordinator("postgres://ada:secret-word@host:port/db");
    const error = await opening.catch((error: unknown) => error);
    expect(String(error)).toMatch(/The URL of PostgreSQL cannot be read/);
    expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain("secret-word");
  });

  it("options that make no sense are refused", async () => {
    await expect(openPostgresCoordinator("", { heartbeatIntervalMs: 0 })).rejects.toThrow(RangeError);
  });
});

/** Rows of coordinators, peers and tunnels. */
async function rowCounts(postgres: PostgresOfTests): Promise<number[]> {
  const tables = ["coordinators", "peers", "tunnels"];
  const counts = tables.map((name) => `(select count(*)::int from agentwire_tailnet_${name}) as ${name}`);
  const { rows } = await postgres.query(`select ${counts.join()}`);
  return Object.values(rows[0]);
}

/** One process of the server dies, so that it ends all others and recovers: unlogged tables are empty after that. */
async function crash(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  const { rows } = await client.query("select pg_backend_pid() as pid");
  const ended = new Promise((resolve) => client.once("end", resolve));
  process.kill(rows[0].pid, "SIGKILL");
  await ended;
}
