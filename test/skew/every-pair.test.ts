import { Code, type Interceptor } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { type AgentConnection, DialError, dialAgent } from "../../src/client/index-node.js";
import { Tailnet } from "../../src/gen/coder/tailnet/v2/tailnet_pb.js";
import type { ControlPlaneOptions } from "../../src/server/index.js";
import { type ApiVersion, versionHas } from "../../src/version/index.js";
import { controlPlane, dialled, token } from "../support/control-plane.js";
import { outcomesOf, subject } from "./calls.js";
import { expectedDial, expectedOutcomes, minors, rpcs, version, versionText } from "./expectations.js";

const methods = rpcs.map(({ method }) => method);

/** A control plane that has all RPCs up to a minor, and says which of them it has answered. */
async function planeOf(minor: number, strictVersions: boolean) {
  const handled: string[] = [];
  const spy: Interceptor = (next) => (request) => {
    handled.push(request.method.localName);
    return next(request);
  };
  const options: ControlPlaneOptions = {
    serverVersion: version(minor),
    strictVersions,
    interceptors: [spy],
    banners: () => [{ enabled: true, message: "hi", backgroundColor: "" }],
    // for users' clients: not on agents' sessions otherwise
    routes: (router) => {
      router.rpc(Tailnet.method.refreshResumeToken, () => ({ token: "t" }));
      router.rpc(Tailnet.method.workspaceUpdates, async function* () {
        yield {};
      });
    },
  };
  const agent = {
    apps: [{ slug: "web", healthcheck: { url: "http://x", intervalSeconds: 5, threshold: 3 } }],
    scripts: [{ displayName: "Start", script: "true", runOnStart: true }],
    metadata: [{ key: "cpu", displayName: "CPU", script: "true", intervalSeconds: 10, timeoutSeconds: 1 }],
  };
  const plane = await controlPlane(agent, options);
  const id = plane.agents[0]?.id ?? "";
  const { apps, scripts } = await plane.store.manifestRecords(id);
  const about = subject(uuidOf(apps[0]?.id), uuidOf(scripts[0]?.id));
  return { plane, handled: () => handled, about };
}

function uuidOf(id = ""): Uint8Array {
  return Buffer.from(id.replaceAll("-", ""), "hex");
}

type Plane = Awaited<ReturnType<typeof planeOf>>;

async function expectCalls(
  connection: AgentConnection,
  { handled, about }: Plane,
  hasMinor: number,
): Promise<void> {
  const agreed = connection.version;
  const outcomes = await outcomesOf(connection, methods, about, handled);
  expect(outcomes).toEqual(expectedOutcomes(hasMinor));
  // what the version promises is supported, unless the server has said otherwise
  const expected = methods.filter((method) => versionHas(agreed, method) && outcomes[method] === "works");
  expect(methods.filter((method) => connection.supports(method))).toEqual(expected);
  expect(await connection.ping()).toBeGreaterThan(0);
}

describe.each([
  ["that has everything for every version", false],
  ["that has what the version of a session promises", true],
])("a server %s", (_kind, strictVersions) => {
  it.each(minors)("of 2.%i: dials and calls of clients of every version", async (served) => {
    const plane = await planeOf(served, strictVersions);
    for (const asked of [...minors, "negotiate"] as const) {
      const choice = asked === "negotiate" ? asked : versionText(asked);
      const expected = expectedDial(asked, served);
      if (typeof expected === "string") {
        await expectRefusal(
          dialAgent({ url: plane.plane.url, token, version: choice, proxy: false }),
          expected,
        );
        continue;
      }
      const connection = await dialled(plane.plane, { version: choice, proxy: false });
      expect(connection.version).toEqual<ApiVersion>(expected);
      await expectCalls(connection, plane, strictVersions ? expected.minor : newestMinor);
      await connection.close();
    }
  });
});

const newestMinor = minors.length - 1;

async function expectRefusal(dial: Promise<unknown>, detail: string): Promise<void> {
  const error = await dial.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DialError);
  expect(error).toMatchObject({
    status: 400,
    code: Code.InvalidArgument,
    validations: [{ field: "version", detail }],
    message: expect.stringContaining(detail),
  });
}

it("the table has every RPC of the API once, and says of each what it does", () => {
  expect(new Set(methods).size).toBe(24);
  const perMinor = minors.map((minor) => Object.values(expectedOutcomes(minor)));
  const count = (word: string) => perMinor.map((all) => all.filter((one) => one === word).length);
  expect(count("works")).toEqual([10, 11, 12, 15, 18, 18, 21, 22, 23, 23, 24]);
  expect(count("goes the older way")).toEqual([2, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0]);
});
