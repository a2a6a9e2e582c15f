import { expect, it } from "vitest";
import { controlPlane, eventually, token } from "../support/control-plane.js";
import { describeWithGo, type Facts, GoPeer } from "../support/go-peer.js";
import { agentRpc, goCall, goDial, goFailure, rpcPath } from "./support/go-client.js";

const unknownToken = "00000000-0000-4000-8000-000000000001";

/** A refused dial: its status, and the JSON of its body. */
async function refused(peer: GoPeer, url: string, facts: Facts): Promise<Facts> {
  const dial = peer.do("dial", { url, ...facts });
  const { status, body, contentType, headers } = await goFailure(dial);
  return { status, contentType, json: JSON.parse(String(body)) as unknown, headers };
}

describeWithGo("a Go client that dials our server", () => {
  it.each(["cookie", "query", "header", "bearer", "accessToken"])(
    "S1.6 is let in with its token in: %s",
    async (tokenIn) => {
      const peer = GoPeer.start();
      const session = await goDial(peer, await controlPlane(), { tokenIn });
      expect(await goCall(peer, session, agentRpc("GetManifest"))).toMatchObject({ agentName: "main" });
      expect(peer.complaints).toEqual([]);
    },
  );

  it("S1.6 is known by the first place that has a token", async () => {
    const peer = GoPeer.start();
    const { url } = await controlPlane();
    const wrong = {
      "Coder-Session-Token": unknownToken,
      Authorization: `Bearer ${unknownToken}`,
    };
    const bad = `${url}${rpcPath}?access_token=${unknownToken}`;
    await goDial(peer, { url }, { tokenIn: "cookie", headers: wrong });
    await peer.handle("dial", { url: bad, token, tokenIn: "query", headers: wrong });
    await peer.handle("dial", { url: bad, headers: { ...wrong, "Coder-Session-Token": token } });
    await peer.handle("dial", { url: bad, token, tokenIn: "bearer" });
    const failed = await goFailure(goDial(peer, { url }, { headers: { Cookie: "coder_session_token=x" } }));
    expect(failed).toMatchObject({ status: 401, body: expect.stringContaining("token invalid") });
  });

  it.each([
    ["no token", {}, { message: 'Cookie "coder_session_token" must be provided.' }],
    [
      "a token that is no UUID",
      { token: "abcdefghij-0123456789" },
      {
        message: "Workspace agent token invalid.",
        detail: "An agent token must be a valid UUIDv4. (len 21)",
      },
    ],
    [
      "a token of nobody",
      { token: unknownToken },
      {
        message: "Workspace agent not authorized.",
        detail:
          "The agent cannot authenticate until the workspace provision job has been completed. If the job is no longer running, this agent is invalid.",
      },
    ],
  ])("S1.7 is refused with 401 for %s", async (_name, facts, json) => {
    const { url } = await controlPlane();
    const answer = await refused(GoPeer.start(), url + rpcPath, facts);
    expect(answer).toMatchObject({ status: 401, json, contentType: "application/json; charset=utf-8" });
    expect(Object.keys(answer["json"] as Facts)).toEqual(Object.keys(json));
    expect(answer["headers"]).toMatchObject({
      "x-coder-request-id": expect.any(String),
      "x-coder-build-version": expect.any(String),
      "x-content-type-options": "nosniff",
    });
  });

  it("S1.8 may write its token in four ways", async () => {
    const peer = GoPeer.start();
    const plane = await controlPlane();
    const spellings = [token.toUpperCase(), `urn:uuid:${token}`, `{${token}}`, token.replaceAll("-", "")];
    for (const spelling of spellings) await goDial(peer, plane, { token: spelling });
    expect(plane.api.sessionCount).toBe(spellings.length);
  });

  it.each([
    ["2", "invalid version string: 2"],
    ["2.0.1", "invalid version string: 2.0.1"],
    ["abc", "invalid version string: abc"],
    ["x.0", "invalid major version: x.0"],
    [".1", "invalid major version: .1"],
    ["2.x", "invalid minor version: 2.x"],
    ["2.", "invalid minor version: 2."],
    ["3.0", "server is at version 2.10, behind requested major version 3.0"],
    ["2.11", "server is at version 2.10, behind requested minor version 2.11"],
    ["1.0", "version 1.0 is no longer supported"],
    ["-1.0", "version -1.0 is no longer supported"],
  ])("S1.17 is refused with 400 for the version %s", async (version, detail) => {
    const { url } = await controlPlane();
    expect(await refused(GoPeer.start(), url + rpcPath, { token, version })).toMatchObject({
      status: 400,
      json: { message: "Unknown or unsupported API version", validations: [{ field: "version", detail }] },
    });
  });

  it("S1.22 hears of its token before its version", async () => {
    const { url } = await controlPlane();
    const answer = await refused(GoPeer.start(), url + rpcPath, { token: unknownToken, version: "9.9" });
    expect(answer["status"]).toBe(401);
  });

  it("S1.14, S1.18 may leave its version out, or write it oddly; it is kept as written", async () => {
    const peer = GoPeer.start();
    const { url, store, agents } = await controlPlane();
    const id = agents[0]?.id ?? "";
    const startup = { startup: { version: "v2.30.0", expandedDirectory: "/projects", subsystems: [] } };
    const bare = await peer.handle("dial", { url: url + rpcPath, token });
    await goCall(peer, bare, agentRpc("UpdateStartup"), startup);
    expect((await store.agent(id))?.apiVersion).toBe("2.0");
    for (const version of ["02.00", "+2.+1", "2.-1"]) {
      const session = await goDial(peer, { url }, { version });
      await goCall(peer, session, agentRpc("UpdateStartup"), startup);
      expect((await store.agent(id))?.apiVersion).toBe(version);
    }
  });

  it("S1.4 is told of an unknown route only with a token", async () => {
    const peer = GoPeer.start();
    const { url } = await controlPlane();
    const other = `${url}/api/v2/workspaceagents/me/other`;
    expect(await refused(peer, other, { token })).toMatchObject({
      status: 404,
      json: { message: "Route not found." },
    });
    expect(await refused(peer, other, {})).toMatchObject({ status: 401 });
  });

  it("S1.24 gets no compression and no subprotocol", async () => {
    const peer = GoPeer.start();
    const plane = await controlPlane();
    const { status, headers } = await peer.do("dial", {
      url: plane.url + rpcPath,
      token,
      compression: true,
      headers: { "Sec-WebSocket-Protocol": "chat" },
    });
    expect(status).toBe(101);
    expect(headers).not.toHaveProperty("sec-websocket-extensions");
    expect(headers).not.toHaveProperty("sec-websocket-protocol");
  });

  it("S1.24 is refused with 403 from another origin", async () => {
    const { url } = await controlPlane();
    const headers = { Origin: "https://evil.test" };
    const failed = await goFailure(goDial(GoPeer.start(), { url }, { headers }));
    expect(failed).toMatchObject({ status: 403, contentType: "text/plain; charset=utf-8" });
    expect(failed["body"]).toContain('request Origin "evil.test" is not authorized for Host');
    expect(failed["body"]).toMatch(/"message":\s*"Failed to accept websocket\."/);
  });
});

describeWithGo("S1.21 the role of a Go client", () => {
  it.each([
    ["agent", { role: "agent" }],
    ["none", {}],
    ["an empty one", { role: "" }],
  ])("makes the agent look connected, then disconnected: %s", async (_name, facts) => {
    const peer = GoPeer.start();
    const plane = await controlPlane();
    const id = plane.agents[0]?.id ?? "";
    const kinds: unknown[] = [];
    plane.events.onPublish((event) => kinds.push(event.topic === "workspace" ? event.kind : event.topic));
    const session = await goDial(peer, plane, facts);
    const times = async () => (await plane.store.agent(id))?.connection;
    await eventually(async () => (await times())?.firstConnectedAtUs !== undefined, "it is connected");
    await eventually(() => kinds.length === 1);
    expect((await times())?.disconnectedAtUs).toBeUndefined();
    await peer.do("close", { handle: session });
    await eventually(async () => (await times())?.disconnectedAtUs !== undefined, "it is disconnected");
    await eventually(() => kinds.length === 2);
    expect(kinds).toEqual(["agt_connection_update", "agt_connection_update"]);
  });

  it.each(["logstream-kube", "Agent"])("leaves the agent's state alone: %s", async (role) => {
    const peer = GoPeer.start();
    const plane = await controlPlane();
    const kinds: unknown[] = [];
    plane.events.onPublish((event) => kinds.push(event.topic));
    const session = await goDial(peer, plane, { role });
    expect(await goCall(peer, session, agentRpc("GetManifest"))).toMatchObject({ workspaceName: "dev" });
    await peer.do("close", { handle: session });
    await eventually(() => plane.api.sessionCount === 0, "the session has ended");
    const agent = await plane.store.agent(plane.agents[0]?.id ?? "");
    expect(agent?.connection.firstConnectedAtUs).toBeUndefined();
    expect(agent?.connection.disconnectedAtUs).toBeUndefined();
    expect(kinds).toEqual([]);
  });

  it("S1.13 is of each connection by itself: several at a time with one token", async () => {
    const peer = GoPeer.start();
    const plane = await controlPlane();
    const sessions = await Promise.all(
      ["agent", "logstream-kube", "agent"].map((role) => goDial(peer, plane, { role })),
    );
    for (const session of sessions) await goCall(peer, session, agentRpc("GetManifest"));
    expect(plane.api.sessionCount).toBe(3);
    expect(peer.complaints).toEqual([]);
  });
});
