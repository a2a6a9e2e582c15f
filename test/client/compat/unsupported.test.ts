import { inspect } from "node:util";
import { Code, ConnectError } from "@connectrpc/connect";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { isUnimplemented, RpcError, UnsupportedByServerError } from "../../../src/client/index-node.js";
import { apiMethods, methodVersion } from "../../../src/version/index.js";
import { eventually } from "../../support/control-plane.js";
import { collect, failure } from "../../support/echo.js";
import { runs } from "../../support/scale.js";
import { compatPair, token } from "./compat-pair.js";

async function refused(call: Promise<unknown>): Promise<UnsupportedByServerError> {
  const error = await failure(call);
  expect(error).toBeInstanceOf(UnsupportedByServerError);
  return error as UnsupportedByServerError;
}

describe("C2.11 an RPC that the server does not have", () => {
  it("fails with one typed error: what was asked, which version has it, what to do, the server's words", async () => {
    const { connection } = compatPair({}, { version: "2.3" });
    const error = await refused(connection.agent.createSubAgent({ name: "sub" }));
    expect(error).toMatchObject({
      code: Code.Unimplemented,
      method: "createSubAgent",
      needed: { major: 2, minor: 6 },
      connection: { major: 2, minor: 3 },
      rpc: "/coder.agent.v2.Agent/CreateSubAgent",
      layer: "rpc",
      drpcCode: 12,
      rawMessage: "Unimplemented",
    });
    expect(error.cause).toMatchObject({
      code: Code.Unimplemented,
      rawMessage: "Unimplemented",
      drpcCode: 12,
    });
    expect(error.message).toBe(
      "[unimplemented] /coder.agent.v2.Agent/CreateSubAgent: the server does not have this RPC, which came with " +
        "API 2.6, and this connection is of API 2.3; update the server, or do without: " +
        'connection.supports("createSubAgent") is false now; it said: Unimplemented',
    );
    expect(isUnimplemented(error)).toBe(true);
    expect(error).toBeInstanceOf(RpcError);
    expect(error).toBeInstanceOf(ConnectError);
  });

  it("says so where the version had promised it", async () => {
    const { connection } = compatPair({}, { version: "2.10" });
    const { message } = await refused(connection.agent.scriptCompleted({}));
    expect(message).toContain("though API 2.3 and this connection, of API 2.10, promise it");
  });

  it("is the same error for another copy of the module", async () => {
    const { connection } = compatPair({});
    const error = await refused(connection.agent.scriptCompleted({}));
    vi.resetModules();
    const copy = await import("../../../src/client/compat/unsupported.js");
    expect(copy.UnsupportedByServerError).not.toBe(UnsupportedByServerError);
    expect(error instanceof copy.UnsupportedByServerError).toBe(true);
    expect(new Error("other") instanceof copy.UnsupportedByServerError).toBe(false);
  });

  it("is asked for once on a connection", async () => {
    const { connection, calls } = compatPair({});
    expect(connection.supports("scriptCompleted")).toBe(true);
    const first = await refused(connection.agent.scriptCompleted({}));
    expect(connection.supports("scriptCompleted")).toBe(false);
    const second = await refused(connection.agent.scriptCompleted({}));
    expect(second).toMatchObject({ method: "scriptCompleted", rawMessage: "Unimplemented", drpcCode: 12 });
    expect(second.cause).toBe(first.cause);
    expect(second).not.toBe(first);
    expect(calls).toEqual(["scriptCompleted"]);
    // other RPCs, and other connections, are not touched
    expect(connection.supports("getManifest")).toBe(true);
    expect(compatPair({}).connection.supports("scriptCompleted")).toBe(true);
  });

  it("is asked for once where it streams answers, and where it streams both ways", async () => {
    const { connection, calls } = compatPair({});
    const { tailnet } = connection;
    const endless = async function* () {
      yield {};
      await new Promise(() => {});
    };
    for (let i = 0; i < 3; i++) {
      const error = await refused(collect(tailnet.streamDERPMaps({})));
      expect(error).toMatchObject({
        method: "streamDERPMaps",
        rpc: "/coder.tailnet.v2.Tailnet/StreamDERPMaps",
      });
      expect(await refused(collect(tailnet.coordinate(endless())))).toMatchObject({ method: "coordinate" });
    }
    expect(calls.sort()).toEqual(["coordinate", "streamDERPMaps"]);
    await eventually(() => connection.session.streamCount === 0, "no stream is left");
  });

  it("is tried where the version does not promise it: C1.28 servers had some early", async () => {
    const { connection, calls } = compatPair({ scriptCompleted: () => ({}) }, { version: "2.2" });
    expect(connection.supports("scriptCompleted")).toBe(false);
    await connection.agent.scriptCompleted({});
    await connection.agent.scriptCompleted({});
    expect(calls).toEqual(["scriptCompleted", "scriptCompleted"]);
  });

  it("does not look like any other error", async () => {
    const { connection, calls } = compatPair({
      scriptCompleted: () => {
        throw new ConnectError("not today", Code.Unavailable);
      },
    });
    const error = await failure(connection.agent.scriptCompleted({}));
    expect(error).toMatchObject({ code: Code.Unavailable, rawMessage: "not today" });
    expect(error).not.toBeInstanceOf(UnsupportedByServerError);
    await failure(connection.agent.scriptCompleted({}));
    expect(calls).toHaveLength(2);
    expect(connection.supports("scriptCompleted")).toBe(true);
  });

  it("does not show the token, nor does the connection", async () => {
    const { connection } = compatPair({});
    const error = await refused(connection.agent.scriptCompleted({}));
    const shown = [inspect(connection, { depth: 9 }), JSON.stringify(error), inspect(error, { depth: 9 })];
    expect(shown.join("\n")).not.toContain(token);
  });
});

describe("what a connection knows of its server", () => {
  const unary = apiMethods.filter(
    (method) => !["streamDERPMaps", "coordinate", "workspaceUpdates"].includes(method),
  );

  it("is what a model says, whatever is called", async () => {
    const versionMinor = fc.integer({ min: 0, max: 10 });
    const had = fc.subarray(unary);
    const called = fc.array(fc.constantFrom(...unary), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(versionMinor, had, called, async (minor, has, called) => {
        const handlers = Object.fromEntries(has.map((method) => [method, () => ({})]));
        const { connection, calls } = compatPair(
          handlers,
          { version: `2.${minor}` as "2.10", shims: false },
          handlers,
        );
        const clients = { ...connection.tailnet, ...connection.agent } as unknown as Record<
          string,
          (request: object) => Promise<unknown>
        >;
        const refusedSoFar = new Set<string>();
        const expectedCalls: string[] = [];
        for (const method of called) {
          if (!refusedSoFar.has(method)) expectedCalls.push(method);
          const outcome = await clients[method]?.({}).then(
            () => "answered",
            (error: unknown) => (error instanceof UnsupportedByServerError ? "unsupported" : error),
          );
          expect(outcome).toBe(has.includes(method) ? "answered" : "unsupported");
          if (outcome === "unsupported") refusedSoFar.add(method);
          for (const one of unary) {
            const isPromised = methodVersion(one).minor <= minor;
            expect(connection.supports(one)).toBe(isPromised && !refusedSoFar.has(one));
          }
        }
        expect(calls).toEqual(expectedCalls);
        await connection.close();
      }),
      runs(40),
    );
  });
});
