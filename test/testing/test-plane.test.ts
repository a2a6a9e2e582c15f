import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  AppStatusState,
  connectAgent,
  dialAgent,
  LifecycleSender,
  LifecycleState,
  LogSender,
  MetadataSender,
  reinitEvents,
  reinitsFor,
} from "../../src/client/index-node.js";
import { ApiError, FakeClock, startTestPlane, type TestPlane } from "../../src/testing/index.js";
import { testPlane } from "../support/test-plane.js";

const source = "11111111-2222-4333-8444-555555555555";

async function dialled(plane: TestPlane, role = "my-tool") {
  const connection = await dialAgent({ ...plane.agent.target, role });
  onTestFinished(() => connection.close());
  return connection;
}

describe("what has come", () => {
  it("is there as calls, with their messages, in order", async () => {
    const clock = new FakeClock({ startMs: 1_000_000 });
    const plane = await testPlane({ clock });
    const { agent } = await dialled(plane, "agent");
    await agent.getManifest({});
    await clock.advance(500);
    await agent.updateLifecycle({ lifecycle: { state: LifecycleState.STARTING } });
    await agent.updateLifecycle({ lifecycle: { state: LifecycleState.READY } });
    expect(plane.calls().map(({ rpc }) => rpc)).toEqual([
      "GetManifest",
      "UpdateLifecycle",
      "UpdateLifecycle",
    ]);
    expect(plane.calls("UpdateLifecycle").map(({ request }) => request.lifecycle?.state)).toEqual([
      LifecycleState.STARTING,
      LifecycleState.READY,
    ]);
    expect(plane.calls("GetManifest")).toMatchObject([
      { agentId: plane.agent.id, role: "agent", apiVersion: "2.10", atMs: 1_000_000, state: "answered" },
    ]);
    expect(plane.calls("UpdateLifecycle")[0]?.atMs).toBe(1_000_500);
    expect(plane.dials()).toEqual([
      { role: "agent", version: "2.10", atMs: 1_000_000, refusedWith: undefined },
    ]);
    plane.forget();
    expect([plane.calls(), plane.dials()]).toEqual([[], []]);
  });

  it("is waited for, and a wait that ends says what has come", async () => {
    const plane = await testPlane();
    const { agent } = await dialled(plane);
    const ready = plane.waitForCall(
      "UpdateLifecycle",
      ({ request }) => request.lifecycle?.state === LifecycleState.READY,
    );
    await agent.updateLifecycle({ lifecycle: { state: LifecycleState.STARTING } });
    await agent.updateLifecycle({ lifecycle: { state: LifecycleState.READY } });
    expect((await ready).request.lifecycle?.state).toBe(LifecycleState.READY);
    await expect(plane.waitForCall("UpdateStats", undefined, { timeoutMs: 1 })).rejects.toThrow(
      "no call of UpdateStats that fits came within 1 ms: there came UpdateLifecycle ×2",
    );
    expect(await plane.waitFor("a number", () => plane.calls().length)).toBe(2);
    const never = () => expect(plane.calls()).toHaveLength(7);
    await expect(plane.waitFor("seven calls", never, { timeoutMs: 1 })).rejects.toThrow(
      /^seven calls: not within 1 ms: expected .* to have a length of 7/,
    );
  });

  it("is there with all requests of a stream", async () => {
    const plane = await testPlane({
      workspaces: [{ owner: "ada", name: "dev", agents: [{ name: "main" }] }],
    });
    const { tailnet } = await dialled(plane);
    const answers = tailnet.coordinate(
      (async function* () {
        yield { addTunnel: { id: new Uint8Array(16).fill(7) } };
        yield { disconnect: {} };
      })(),
    );
    for await (const _ of answers);
    const [call] = plane.calls("Coordinate");
    expect(call?.requests).toHaveLength(2);
    expect(call?.request.addTunnel?.id).toEqual(new Uint8Array(16).fill(7));
  });
});

describe("what an agent of it has reported", () => {
  const agent = {
    apps: [{ slug: "assistant" }],
    metadata: [{ key: "load", script: "true", intervalSeconds: 1 }],
  };

  it("is there to be read and expected", async () => {
    const plane = await testPlane({ agent });
    const logs = new LogSender();
    const lifecycle = new LifecycleSender();
    const metadata = new MetadataSender();
    const { target } = plane.agent;
    const session = connectAgent({ ...target, senders: [logs, lifecycle, metadata] });
    onTestFinished(async () => void (await session.close()));
    await logs.send(source, [{ output: "building" }, { output: "started in 3 s" }]);
    lifecycle.advance("starting");
    lifecycle.advance("ready");
    metadata.set("load", { value: "0.5" });
    await plane.agent.expectLogs(/started/);
    await plane.agent.expectLogs("building");
    await plane.agent.expectLifecycle(["starting", "ready"]);
    await plane.agent.expectLifecycle("ready");
    await plane.agent.expectMetadata("load", "0.5");
    await plane.agent.expectStatus("connected");
    const connection = await session.connected();
    await connection.agent.updateAppStatus({
      slug: "assistant",
      state: AppStatusState.IDLE,
      message: "done",
    });
    await plane.agent.expectAppStatus({ slug: "assistant", state: "idle" });
    await connection.agent.updateStats({ stats: { rxBytes: 7n, connectionCount: 1n } });
    expect(await plane.agent.logs()).toEqual(["building", "started in 3 s"]);
    expect(plane.agent.lifecycles()).toEqual(["starting", "ready"]);
    expect(await plane.agent.metadata()).toEqual({ load: { value: "0.5", error: "" } });
    expect(await plane.agent.appStatuses()).toEqual([
      { slug: "assistant", state: "idle", message: "done", uri: "" },
    ]);
    expect(await plane.agent.stats()).toMatchObject([{ rxBytes: 7n }]);
    await session.close();
    await plane.agent.expectStatus("disconnected");
  });

  it("is in the sentence of an expectation that does not hold", async () => {
    const plane = await testPlane({ agent });
    const soon = { timeoutMs: 1 };
    const { agent: calls } = await dialled(plane);
    await calls.batchCreateLogs({ logSourceId: new Uint8Array(16), logs: [{ output: "one" }] });
    const main = plane.agent;
    await expect(main.expectLogs(/two/, soon)).rejects.toThrow(
      'no line of the log of the agent ada/dev.main was /two/ within 1 ms: there is "one"',
    );
    await expect(main.expectLifecycle("ready", soon)).rejects.toThrow(
      "the agent ada/dev.main did not report ready within 1 ms: there is nothing",
    );
    await expect(main.expectMetadata("load", "1", soon)).rejects.toThrow(
      'the metadata "load" of the agent ada/dev.main is not "1" after 1 ms: {"value":"","error":""}',
    );
    await expect(main.expectMetadata("other", "1", soon)).rejects.toThrow("the agent has no such key");
    await expect(main.expectAppStatus({ slug: "assistant" }, soon)).rejects.toThrow("there is nothing");
    await expect(main.expectStatus("connected", soon)).rejects.toThrow("it is connecting");
  });

  it("belongs to somebody else's agent, with the same token, once its workspace is claimed", async () => {
    const plane = await testPlane({
      workspaces: [{ owner: "", name: "pool", isPrebuilt: true, agents: [{ name: "main" }] }],
    });
    const reasons: string[] = [];
    const waiting = (async () => {
      const { target } = plane.agent;
      const signal = AbortSignal.timeout(10_000);
      for await (const { reason } of reinitsFor(reinitEvents({ ...target, signal }))) reasons.push(reason);
    })();
    await plane.waitFor("the agent waits", async () => (await plane.streamCount()) === 1);
    const mine = await plane.agent.claim("bob", "mine");
    await waiting;
    expect(reasons).toEqual(["prebuild_claimed"]);
    expect(mine).toMatchObject({ name: "main", owner: "bob", workspace: "mine", token: plane.agent.token });
    expect(mine.id).not.toBe(plane.agent.id);
    const { agent } = await dialled(plane, "agent");
    expect(await agent.getManifest({})).toMatchObject({ ownerUsername: "bob", workspaceName: "mine" });
    await mine.expectStatus("connected");
    await expect(mine.claim("eve", "hers")).rejects.toThrow("belongs to somebody already");
    await expect(plane.agent.claim("eve", "hers")).rejects.toThrow("is gone");
  });

  it("is asked of the agent that is meant, and a plane without agents says so", async () => {
    const two = [{ name: "one" }, { name: "two" }];
    const plane = await testPlane({ workspaces: [{ owner: "ada", name: "dev", agents: two }] });
    expect(plane.agents.map(({ name }) => name)).toEqual(["one", "two"]);
    const empty = await testPlane({ workspaces: [] });
    expect(() => empty.agent).toThrow("has no agents");
    await expect(startTestPlane({ workspaces: [], agent: {} })).rejects.toThrow(TypeError);
  });
});

describe("what can go wrong", () => {
  it("connections are cut, and a session dials again", async () => {
    const plane = await testPlane();
    const session = connectAgent({ ...plane.agent.target, backoff: { firstMs: 1 } });
    onTestFinished(async () => void (await session.close()));
    const first = await session.connected();
    plane.cut();
    await first.closed;
    await plane.waitFor("a second connection", async () => (await session.connected()) !== first);
    expect(plane.dials()).toHaveLength(2);
  });

  it("what is sent is late in each direction, by the clock of the test", async () => {
    const clock = new FakeClock();
    const plane = await testPlane({ clock });
    const { agent } = await dialled(plane);
    plane.delay(1000);
    let isAnswered = false;
    const call = agent.getManifest({}).then(() => {
      isAnswered = true;
    });
    await clock.advance(999);
    expect(plane.calls("GetManifest")).toEqual([]);
    await clock.advance(1);
    await plane.waitForCall("GetManifest");
    await clock.advance(999);
    expect(isAnswered).toBe(false);
    await clock.advance(1);
    await call;
    plane.heal();
    await agent.getManifest({});
    for (const ms of [-1, Number.POSITIVE_INFINITY]) expect(() => plane.delay(ms)).toThrow(RangeError);
  });

  it("more than a megabyte waits in line without being lost or mixed up", async () => {
    const plane = await testPlane();
    const { agent } = await dialled(plane);
    const motdPath = Array.from({ length: 300_000 }, (_, i) => `/${i}`).join("");
    plane.answer("GetManifest", () => ({ motdPath }));
    plane.delay(20);
    expect(motdPath.length).toBeGreaterThan(1024 * 1024);
    expect((await agent.getManifest({})).motdPath === motdPath).toBe(true);
  });

  it("dials are refused, so often or until it is healed, with a status or an error", async () => {
    const plane = await testPlane();
    plane.refuse(503, 2);
    await expect(dialled(plane)).rejects.toMatchObject({ status: 503 });
    await expect(dialled(plane)).rejects.toMatchObject({ status: 503 });
    const open = await dialled(plane);
    plane.refuse(new ApiError(401, "Who are you?"));
    await expect(dialled(plane)).rejects.toMatchObject({ status: 401, reason: "Who are you?" });
    await open.agent.getManifest({});
    plane.heal();
    await dialled(plane);
    expect(plane.dials().map(({ refusedWith }) => refusedWith)).toEqual([
      503,
      503,
      undefined,
      401,
      undefined,
    ]);
  });

  it("calls fail with the text of a handler, or with a code", async () => {
    const plane = await testPlane();
    const { agent } = await dialled(plane);
    plane.fail("GetManifest", "the database is down");
    plane.fail("UpdateStats", new ConnectError("not now", Code.Unavailable), 2);
    await expect(agent.getManifest({})).rejects.toMatchObject({
      code: Code.Unknown,
      rawMessage: "the database is down",
    });
    await agent.getManifest({});
    for (let i = 0; i < 2; i++) {
      await expect(agent.updateStats({})).rejects.toMatchObject({ code: Code.Unavailable });
    }
    await agent.updateStats({});
    expect(plane.calls("UpdateStats").map(({ state }) => state)).toEqual(["failed", "failed", "answered"]);
  });

  it("a function answers, changes what the handler says, or keeps its caller waiting", async () => {
    const plane = await testPlane();
    const { agent } = await dialled(plane);
    plane.answer("GetManifest", async (_request, { handle }) => ({
      ...(await handle()),
      agentName: "other",
    }));
    expect(await agent.getManifest({})).toMatchObject({ agentName: "other", workspaceName: "dev" });
    let answerNow = (_directory: string) => {};
    plane.answer("UpdateStartup", async ({ startup }) => {
      const expandedDirectory = await new Promise<string>((resolve) => {
        answerNow = resolve;
      });
      return { version: startup?.version ?? "", expandedDirectory };
    });
    const call = agent.updateStartup({ startup: { version: "v1" } });
    await plane.waitForCall("UpdateStartup", ({ state }) => state === "running");
    answerNow("/home/ada");
    expect(await call).toMatchObject({ version: "v1", expandedDirectory: "/home/ada" });
    plane.answer("GetManifest", undefined);
    expect(await agent.getManifest({})).toMatchObject({ agentName: "main" });
  });

  it("the answer is lost though the handler has done it, and a sender sends again", async () => {
    const plane = await testPlane();
    plane.answer("BatchCreateLogs", async (_request, { handle }) => {
      const answer = await handle();
      if (plane.calls("BatchCreateLogs").length === 1) plane.cut();
      return answer;
    });
    const logs = new LogSender();
    const session = connectAgent({ ...plane.agent.target, senders: [logs], backoff: { firstMs: 1 } });
    await logs.send(source, [{ output: "once or twice" }]);
    await logs.whenEmpty();
    await session.close();
    expect(await plane.agent.logs()).toEqual(["once or twice", "once or twice"]);
  });

  it("an older server comes in its place, with the same tokens and what was stored, and a newer one again", async () => {
    const plane = await testPlane({ agent: { apps: [{ slug: "assistant" }] } });
    const first = await dialled(plane);
    await first.agent.batchCreateLogs({ logSourceId: new Uint8Array(16), logs: [{ output: "before" }] });
    await plane.downgrade("2.3");
    await first.closed;
    const old = await dialAgent({ ...plane.agent.target, role: "my-tool", shims: false });
    onTestFinished(() => old.close());
    expect(old.version).toEqual({ major: 2, minor: 3 });
    await expect(
      old.agent.updateAppStatus({ slug: "assistant", state: AppStatusState.IDLE, message: "" }),
    ).rejects.toMatchObject({ code: Code.Unimplemented });
    expect(await plane.agent.logs()).toEqual(["before"]);
    await plane.upgrade();
    await old.closed;
    expect((await dialled(plane)).version).toEqual({ major: 2, minor: 10 });
    expect(await plane.sessionCount()).toBe(1);
  });
});

it("an agent that is silent is disconnected, when the clock is installed and has gone on", async () => {
  const clock = new FakeClock();
  const uninstall = clock.install();
  onTestFinished(uninstall);
  const plane = await testPlane({ clock });
  const connection = await dialAgent({ ...plane.agent.target, role: "agent" });
  await plane.agent.expectStatus("connected");
  plane.delay(3_600_000);
  await clock.advance(60_000);
  await plane.agent.expectStatus("disconnected");
  plane.cut();
  await connection.closed;
  await plane.close();
});

it("it ends with the block that it is bound in, and may be closed twice", async () => {
  let url = "";
  {
    await using plane = await startTestPlane();
    url = plane.url;
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    await plane.close();
  }
  await expect(fetch(`${url}/healthz`)).rejects.toThrow();
});
