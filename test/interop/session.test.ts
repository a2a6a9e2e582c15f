import { expect, it, onTestFinished } from "vitest";
import { connectAgent, type NodeDialOptions, type SessionOptions } from "../../src/client/index-node.js";
import { eventually, token } from "../support/control-plane.js";
import { describeWithGo } from "../support/go-peer.js";
import { agentRpc } from "./support/go-client.js";
import { GoServer } from "./support/go-server.js";

/** A session with a Go server; it ends with the test. */
function session(server: GoServer, options: Partial<NodeDialOptions & SessionOptions> = {}) {
  const lost: string[] = [];
  const begun = connectAgent({
    url: server.url,
    token,
    proxy: false,
    backoff: { firstMs: 1, maxMs: 5 },
    onConnected: async ({ agent }, signal) => {
      await agent.getManifest({}, { signal });
    },
    ...options,
  });
  void (async () => {
    for await (const state of begun.states()) if (state.kind === "lost") lost.push(state.error.message);
  })();
  onTestFinished(() => begun.close({ timeoutMs: 0 }).then(() => {}));
  return { session: begun, lost };
}

describeWithGo("a session with a Go server", () => {
  it("C4.8 takes a clean end of the server's for a loss, and dials again", async () => {
    const server = await GoServer.start();
    const { lost } = session(server);
    await server.outcome(agentRpc("GetManifest"));
    await server.peer.do("close", { handle: Number(server.sessions[0]?.["session"]) });
    await eventually(() => server.sessions.length === 2, "the second connection");
    expect(lost).toHaveLength(1);
  });

  it("C4.8 takes a TCP reset for a loss, and dials again", async () => {
    const server = await GoServer.start();
    const { lost } = session(server);
    await server.outcome(agentRpc("GetManifest"));
    await server.peer.do("tcpAbort", { handle: Number(server.sessions[0]?.["session"]) });
    await eventually(() => server.sessions.length === 2, "the second connection");
    expect(lost).toHaveLength(1);
  });

  it("C1.11 closes a connection whose pings stay without answer, and dials again", async () => {
    const server = await GoServer.start();
    const mute = await GoServer.start({ faults: { noPong: true } });
    // the first ping belongs to the dial: a server that never answers is not connected at all
    const { session: begun, lost } = session(mute, { openTimeoutMs: 100 });
    await eventually(() => lost.length > 0, "a dial that fails");
    expect(lost[0]).toMatch(/not open within 100 ms/);
    expect(begun.state.kind).not.toBe("connected");
    expect(server.sessions).toEqual([]);
  });

  it("C4.6 gives a connection up when the manifest is refused, and dials again", async () => {
    const server = await GoServer.start();
    await server.script(agentRpc("GetManifest"), { error: { code: 0, text: "no rows" } });
    const { lost } = session(server);
    await eventually(() => lost.length > 1, "the second loss");
    expect(lost[0]).toContain("no rows");
    await server.script(agentRpc("GetManifest"), null);
    await eventually(async () => (await server.calls(agentRpc("GetManifest"))).at(-1)?.outcome === "ok");
  });

  it("ends in order: a go-away, then the WebSocket with 1000", async () => {
    const server = await GoServer.start();
    const { session: begun } = session(server);
    await server.outcome(agentRpc("GetManifest"));
    expect(await begun.close()).toEqual({ error: undefined, unsent: [] });
    const ends = () => server.peer.events.filter(({ event }) => event === "sessionEnd");
    await eventually(() => ends().length === 1, "the end on the Go side");
    expect(ends()[0]).toMatchObject({ closeCode: 1000 });
    expect(server.sessions).toHaveLength(1);
  });
});
