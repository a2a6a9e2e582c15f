import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import type { MetricLabels, Metrics } from "../../../src/server/index.js";
import { watchTimers } from "../../leaks/live-things.js";
import { eventually } from "../../support/control-plane.js";
import { httpApi } from "../../support/http-api.js";
import { tailnetProgram } from "../../support/tailnet.js";

function sockets(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === "TCPSocketWrap").length;
}

describe("a session of a user's program", () => {
  it("has the tailnet service, and no other (S7.5)", async () => {
    const { plane, agentId } = await httpApi();
    for (const path of ["tailnet", `workspaceagents/${agentId}/coordinate?version=2.0`]) {
      const { tailnet, agent } = await tailnetProgram(plane, path);
      const stop = new AbortController();
      const maps = tailnet.streamDERPMaps({}, { signal: stop.signal })[Symbol.asyncIterator]();
      expect((await maps.next()).value).toMatchObject({ regions: {} });
      stop.abort();
      await expect(agent.getManifest({})).rejects.toMatchObject({
        rawMessage: 'protocol error: unknown rpc: "/coder.agent.v2.Agent/GetManifest"',
      });
    }
  });

  it("is counted as long as it is open, apart from those of agents", async () => {
    const { plane } = await httpApi();
    const { session } = await tailnetProgram(plane);
    await tailnetProgram(plane);
    expect([plane.api.tailnetSessionCount, plane.api.sessionCount]).toEqual([2, 0]);
    await session.close();
    await eventually(() => plane.api.tailnetSessionCount === 1, "one session");
  });

  it("S1.19 has what its version promises where versions are strict", async () => {
    const { plane } = await httpApi({}, { strictVersions: true });
    const refreshed = async (version: string) => {
      const { tailnet } = await tailnetProgram(plane, `tailnet?version=${version}`);
      return tailnet.refreshResumeToken({}).then(
        () => "answered",
        ({ code }: { code: Code }) => code,
      );
    };
    expect(await refreshed("2.2")).toBe(Code.Unimplemented);
    expect(await refreshed("2.3")).toBe("answered");
  });

  it("goes through the interceptors, as calls of agents do", async () => {
    const called: string[] = [];
    const { plane } = await httpApi(
      {},
      {
        interceptors: [
          (next) => (request) => {
            called.push(request.method.name);
            return next(request);
          },
        ],
      },
    );
    const { tailnet } = await tailnetProgram(plane, "tailnet?version=2.3");
    await tailnet.refreshResumeToken({});
    expect(called).toEqual(["RefreshResumeToken"]);
  });

  it("S8 is measured by the path of its route", async () => {
    const measured: (MetricLabels | undefined)[] = [];
    const gauges: number[] = [];
    const metrics: Metrics = {
      count: () => {},
      gauge: (_name, by) => void gauges.push(by),
      observe: (_name, _value, labels) => void measured.push(labels),
    };
    const { plane, agentId } = await httpApi({}, { metrics });
    const one = await tailnetProgram(plane);
    const other = await tailnetProgram(plane, `workspaceagents/${agentId}/coordinate?version=2.0`);
    await one.session.close();
    await other.session.close();
    await eventually(() => measured.length === 2, "both are measured");
    expect(gauges).toEqual([1, 1, -1, -1]);
    expect(measured.map((labels) => labels?.["path"]).sort()).toEqual([
      "/api/v2/tailnet",
      "/api/v2/workspaceagents/{id}/coordinate",
    ]);
  });
});

describe("S4.32 the end of a session", () => {
  it("is 1000 without a reason when the server closes", async () => {
    const { plane } = await httpApi();
    const programs = [await tailnetProgram(plane), await tailnetProgram(plane)];
    await plane.api.close();
    for (const { closed } of programs) expect(await closed).toBe("1000 ");
    expect(plane.api.tailnetSessionCount).toBe(0);
  });

  it("waits for calls under way, for as long as it is told", async () => {
    let answer = () => {};
    let hasBegun = () => {};
    const begun = new Promise<void>((resolve) => (hasBegun = resolve));
    const held = new Promise<void>((resolve) => (answer = resolve));
    const { plane } = await httpApi(
      {},
      {
        interceptors: [
          (next) => async (request) => {
            hasBegun();
            await held;
            return next(request);
          },
        ],
      },
    );
    const { tailnet, closed } = await tailnetProgram(plane, "tailnet?version=2.3");
    const call = tailnet.refreshResumeToken({});
    await begun;
    const closing = plane.api.close(5_000);
    answer();
    expect((await call).$typeName).toBe("coder.tailnet.v2.RefreshResumeTokenResponse");
    await closing;
    expect(await closed).toBe("1000 ");
  });

  it("is 1001 when the program does not answer a ping, and frees all that it had", async () => {
    const { plane } = await httpApi({}, { streamPingIntervalMs: 40 });
    const { closed } = await tailnetProgram(plane, "tailnet", { autoPong: false });
    const alive = await tailnetProgram(plane);
    expect(await closed).toBe("1001 liveness probe failed");
    await eventually(() => plane.api.tailnetSessionCount === 1, "the other lives on");
    expect(alive.session.error).toBeUndefined();
  });

  it("is 1011 with the text when the program breaks the protocol", async () => {
    const { plane } = await httpApi();
    const { socket, closed } = await tailnetProgram(plane);
    socket.send(new Uint8Array(12).fill(9));
    expect(await closed).toMatch(/^1011 .*version/);
  });

  it("S1.27 is 1003 when the program sends text", async () => {
    const { plane } = await httpApi();
    const { socket, closed } = await tailnetProgram(plane);
    socket.send("hello");
    expect(await closed).toBe("1003 unexpected frame type read (expected MessageBinary): MessageText");
  });

  it("is not reached by an upgrade that comes while the server closes", async () => {
    let letIn = () => {};
    const asked = new Promise<void>((resolve) => (letIn = resolve));
    const isBrowserOnly = async () => {
      await asked;
      return false;
    };
    const { plane } = await httpApi({}, { tailnet: { isBrowserOnly } });
    const program = tailnetProgram(plane);
    const refused = expect(program).rejects.toThrow("503");
    await new Promise((resolve) => setImmediate(resolve));
    const closing = plane.api.close();
    letIn();
    await closing;
    await refused;
    expect(plane.api.tailnetSessionCount).toBe(0);
  });
});

describe("100 programs that come and go", () => {
  it("leave no timer and no socket, whichever way they go", async () => {
    const timers = watchTimers();
    const { plane, agentId } = await httpApi();
    const paths = ["tailnet", `workspaceagents/${agentId}/coordinate?version=2.0`];
    const before = sockets();
    for (let round = 0; round < 10; round++) {
      const programs = await Promise.all(
        Array.from({ length: 10 }, (_, i) => tailnetProgram(plane, paths[i % 2])),
      );
      for (const [i, { socket, session, tailnet }] of programs.entries()) {
        const maps = tailnet.streamDERPMaps({})[Symbol.asyncIterator]();
        await maps.next();
        // some leave in the middle of a call, some say goodbye
        maps.next().catch(() => {});
        if (i % 3 === 0) socket.terminate();
        else if (i % 3 === 1) socket.close();
        else await session.close();
      }
      await eventually(() => plane.api.tailnetSessionCount === 0, "nobody is left");
    }
    await eventually(() => sockets() <= before, "no socket is left");
    await eventually(() => timers().length === 0, "no timer is left").catch(() => {});
    expect(timers()).toEqual([]);
  });
});
