import { expect, it, vi } from "vitest";
import { controlPlane } from "../support/control-plane.js";

async function probe(url: string, path: string) {
  const response = await fetch(`${url}/${path}`);
  return [response.status, await response.text()];
}

it("/healthz answers as long as the process lives, /readyz as long as requests should come", async () => {
  const plane = await controlPlane();
  expect(await probe(plane.url, "healthz")).toEqual([200, "ok\n"]);
  expect(await probe(plane.url, "readyz")).toEqual([200, "ok\n"]);
  vi.spyOn(plane.store, "workspace").mockRejectedValueOnce(new Error("no"));
  expect(await probe(plane.url, "readyz")).toEqual([503, "not ready: the store fails\n"]);
  plane.drain();
  expect(await probe(plane.url, "readyz")).toEqual([503, "not ready: it is about to end\n"]);
  expect(await probe(plane.url, "healthz")).toEqual([200, "ok\n"]);
});

it("whoever has the admin token reads what is there for people", async () => {
  const plane = await controlPlane({}, { adminToken: "an admin token of the test" });
  const id = plane.agents[0]?.id ?? "";
  const read = (token: string) =>
    fetch(`${plane.url}/api/v2/workspaceagents/${id}`, { headers: { Authorization: `Bearer ${token}` } });
  expect((await read("an admin token of the test")).status).toBe(200);
  expect((await read("something else")).status).toBe(401);
});
