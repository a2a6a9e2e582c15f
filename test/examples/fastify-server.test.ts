import { expect, it, onTestFinished } from "vitest";
import { buildServer, MachineStore } from "../../examples/fastify-server.js";
import { dialAgent } from "../../src/client/index-node.js";

const token = "6f3e2a4c-1b7d-4e0a-9c55-0d1f2b3a4c5d";

it("examples/fastify-server.ts serves agents beside its own routes", async () => {
  const app = buildServer(
    new MachineStore([{ token, hostname: "build-1", team: "infra", env: { CI: "1" } }]),
  );
  onTestFinished(() => app.close());
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  const connection = await dialAgent({ url, token, proxy: false });
  expect(await connection.agent.getManifest({})).toMatchObject({
    ownerUsername: "infra",
    workspaceName: "build-1",
    environmentVariables: { CI: "1" },
  });
  expect(await (await fetch(url)).json()).toMatchObject({ sessions: 1 });
  expect((await fetch(`${url}/nothing`)).status).toBe(404);
  await expect(dialAgent({ url, token: crypto.randomUUID(), proxy: false })).rejects.toMatchObject({
    status: 401,
  });
  const id = (await connection.agent.getManifest({})).agentId;
  expect(id).toHaveLength(16);
  await connection.close();
});
