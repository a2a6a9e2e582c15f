import { expect, it } from "vitest";
import worker from "../../examples/worker/worker.js";
import { testPlane } from "../support/test-plane.js";

async function posted(body: unknown, env: Record<string, string>) {
  const init = { method: "POST", body: JSON.stringify(body) };
  const response = await worker.fetch(new Request("http://worker.example/status", init), env);
  return { status: response.status, ...((await response.json()) as { message: string }) };
}

it("examples/worker/worker.ts reports what is posted to it, beside the agent", async () => {
  const plane = await testPlane({ agent: { apps: [{ slug: "assistant" }] } });
  const env = { CODER_AGENT_URL: plane.url, CODER_AGENT_TOKEN: plane.agent.token };
  const status = { slug: "assistant", state: "working", message: "reading" };
  expect(await posted(status, env)).toEqual({ status: 200, message: "reported" });
  await plane.agent.expectAppStatus({ slug: "assistant", state: "working", message: "reading" });
  expect(plane.dials()).toMatchObject([{ role: "example-worker" }]);
  expect(await plane.agent.status()).toBe("connecting");
  expect(await posted({ ...status, state: "tired" }, env)).toMatchObject({ status: 400 });
  expect((await worker.fetch(new Request("http://worker.example/"), env)).status).toBe(404);
  plane.fail("UpdateAppStatus", "the database is down");
  expect(await posted(status, env)).toEqual({ status: 502, message: "[unknown] the database is down" });
  plane.refuse(401, 1);
  expect(await posted(status, env)).toMatchObject({ status: 502 });
});
