// The agent API on a Fastify server, with who there is taken from elsewhere: run it, and point an agent at it.
//
// With Node 22.18 or newer, which runs TypeScript as it is:
//
//   npm install agentwire fastify
//   PORT=3400 node fastify-server.ts
import { pathToFileURL } from "node:url";
import { ApiError, createAgentApi } from "agentwire/server";
import { type AgentRecord, MemoryStore } from "agentwire/store";
import Fastify, { type FastifyInstance } from "fastify";

/** A row of a database that somebody has already. */
interface Machine {
  token: string;
  hostname: string;
  team: string;
  env: Record<string, string>;
}

const nil = "00000000-0000-0000-0000-000000000000";

/**
 * Agents of machines that are kept elsewhere. What agents report goes where MemoryStore keeps it; a store of your own
 * implements all of `AgentStore`, and every method is a few lines of SQL.
 */
export class MachineStore extends MemoryStore {
  readonly #machines: ReadonlyMap<string, Machine>;

  constructor(machines: readonly Machine[]) {
    super();
    this.#machines = new Map(machines.map((machine) => [machine.token, machine]));
  }

  /** An agent is made of its machine when it connects for the first time. */
  override async agentByToken(token: string): Promise<AgentRecord | undefined> {
    const known = await super.agentByToken(token);
    const machine = this.#machines.get(token);
    if (known !== undefined || machine === undefined) return known;
    const { team, hostname, env } = machine;
    await this.define([
      { owner: team, name: hostname, agents: [{ name: "main", token, environment: env, directory: "/srv" }] },
    ]);
    return super.agentByToken(token);
  }
}

/** Builds the server; it does not listen yet. */
export function buildServer(store: MachineStore): FastifyInstance {
  const app = Fastify();
  const api = createAgentApi({
    store,
    log: {
      debug: (message, fields) => app.log.debug(fields, message),
      info: (message, fields) => app.log.info(fields, message),
      warn: (message, fields) => app.log.warn(fields, message),
      error: (message, fields) => app.log.error(fields, message),
    },
    notifications: {
      send: async ({ kind, labels }) => app.log.info({ kind, labels }, "somebody should be told"),
    },
    authenticateUser: ({ token }) => {
      if (token !== process.env["READ_TOKEN"]) throw new ApiError(401, "Ask for a token first.");
      return { id: nil, mayRead: "everything" };
    },
  });
  // in front of Fastify's own routes, which get everything else
  api.attach(app.server);
  app.addHook("onClose", () => api.close(2_000));
  app.get("/", async () => ({ sessions: api.sessionCount }));
  return app;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const machines = [
    { token: "6f3e2a4c-1b7d-4e0a-9c55-0d1f2b3a4c5d", hostname: "build-1", team: "infra", env: { CI: "1" } },
  ];
  const app = buildServer(new MachineStore(machines));
  console.log(await app.listen({ host: "127.0.0.1", port: Number(process.env["PORT"] ?? 3400) }));
}
