import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Code } from "@connectrpc/connect";
import { describe, expect, it, onTestFinished } from "vitest";
import { type ApiVersionText, DialError, dialAgent } from "../../src/client/index-node.js";
import { newestVersion, parseVersion } from "../../src/version/index.js";
import { controlPlane, eventually, token } from "../support/control-plane.js";
import { describeWithGo, type Facts, GoPeer } from "../support/go-peer.js";
import { agentRpc, goCall, goDial, goFailure } from "./support/go-client.js";
import { GoServer } from "./support/go-server.js";

const minors = Array.from({ length: newestVersion.minor + 1 }, (_, minor) => minor);
const versions = minors.map((minor) => `2.${minor}` as ApiVersionText);

/** What of a dial the server is to know. */
const seen = ({ version, role, token: sent, tokenIn, query }: Facts) => ({
  version,
  role,
  sent,
  tokenIn,
  query,
});

/** The error of a dial that fails. */
async function dialFailure(dial: Promise<unknown>): Promise<DialError> {
  const error = await dial.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DialError);
  return error as DialError;
}

describeWithGo("a fixed version of our client", () => {
  it.each(versions)("C1.2 %s: sent with role and token, and taken by a newest Go server", async (version) => {
    const server = await GoServer.start();
    const { connection } = await server.dial({ version });
    expect(connection.version).toEqual(parseVersion(version));
    expect(connection.role).toBe("agent");
    expect(server.sessions.map(seen)).toEqual([
      { version, role: "agent", sent: token, tokenIn: "header", query: `role=agent&version=${version}` },
    ]);
    expect(await connection.agent.getManifest({})).toMatchObject({ agentName: "" });
    const methods = ["getManifest", "scriptCompleted", "pushContextState"] as const;
    const since = [0, 3, 10];
    expect(methods.map((method) => connection.supports(method))).toEqual(
      since.map((minor) => parseVersion(version).minor >= minor),
    );
    expect(server.refused).toEqual([]);
  });

  it.each(versions.slice(0, -1))(
    "S1.17 newer than a Go server of %s is refused, without a redial",
    async (maxVersion) => {
      const server = await GoServer.start({ maxVersion });
      const version = versions[versions.indexOf(maxVersion) + 1] as ApiVersionText;
      const detail = `server is at version ${maxVersion}, behind requested minor version ${version}`;
      const error = await dialFailure(server.dial({ version }));
      expect(error).toMatchObject({
        status: 400,
        code: Code.InvalidArgument,
        layer: "dial",
        reason: "Unknown or unsupported API version",
        validations: [{ field: "version", detail }],
      });
      await eventually(() => server.refused.length === 1);
      expect(server.sessions).toEqual([]);
    },
  );

  it.each(versions)("as old as a Go server of %s is taken", async (maxVersion) => {
    const server = await GoServer.start({ maxVersion });
    const { connection } = await server.dial({ version: maxVersion });
    expect(connection.version).toEqual(parseVersion(maxVersion));
    expect(server.refused).toEqual([]);
  });
});

describeWithGo("negotiation of our client", () => {
  it.each(versions)(
    "finds %s with one redial, or none, and sends role and token each time",
    async (maxVersion) => {
      const server = await GoServer.start({ maxVersion });
      let asked = 0;
      const { connection } = await server.dial({
        version: "negotiate",
        role: "log-shipper",
        headers: { "X-Extra": "1" },
        token: () => {
          asked++;
          return token;
        },
      });
      expect(connection.version).toEqual(parseVersion(maxVersion));
      expect(connection.role).toBe("log-shipper");
      const dial = (version: string) => ({
        version,
        role: "log-shipper",
        sent: token,
        tokenIn: "header",
        query: `role=log-shipper&version=${version}`,
      });
      const refused = maxVersion === "2.10" ? [] : [dial("2.10")];
      expect(server.refused.map(seen)).toEqual(refused);
      expect(server.sessions.map(seen)).toEqual([dial(maxVersion)]);
      for (const { headers } of [...server.refused, ...server.sessions])
        expect(headers).toMatchObject({ "x-extra": "1" });
      expect(asked).toBe(refused.length + 1);
      expect(await connection.agent.getManifest({})).toMatchObject({ agentName: "" });
      expect(server.peer.complaints).toEqual([]);
    },
  );

  it("S1.14 sends no role where it is empty", async () => {
    const server = await GoServer.start({ maxVersion: "2.3" });
    const { connection } = await server.dial({ version: "negotiate", role: "" });
    expect(connection.version.minor).toBe(3);
    expect([...server.refused, ...server.sessions].map(({ query }) => query)).toEqual([
      "version=2.10",
      "version=2.3",
    ]);
  });

  it("is the default", async () => {
    const server = await GoServer.start({ maxVersion: "2.7" });
    const connection = await dialAgent({ url: server.url, token, proxy: false });
    onTestFinished(() => connection.close());
    expect(connection.version).toEqual({ major: 2, minor: 7 });
  });

  it("S1.7 does not redial for 401, and never shows the token", async () => {
    const server = await GoServer.start();
    const wrong = "00000000-0000-4000-8000-000000000001";
    const error = await dialFailure(server.dial({ version: "negotiate", token: wrong }));
    expect(error).toMatchObject({
      status: 401,
      code: Code.Unauthenticated,
      reason: "Workspace agent not authorized.",
      detail: expect.stringContaining("provision job"),
      validations: [],
    });
    expect(`${error.message} ${JSON.stringify(error)} ${error.stack}`).not.toContain(wrong);
    await eventually(() => server.refused.length === 1);
    expect(server.sessions).toEqual([]);
  });

  it("does not redial to a server of a later major, which names no version to fall back to", async () => {
    const server = await GoServer.start({ maxVersion: "3.0" });
    const error = await dialFailure(server.dial({ version: "negotiate" }));
    expect(error).toMatchObject({
      status: 400,
      validations: [{ field: "version", detail: "version 2.10 is no longer supported" }],
    });
    await eventually(() => server.refused.length === 1);
    expect(server.sessions).toEqual([]);
  });

  it("does not redial to a server of an earlier major, whose version it does not speak", async () => {
    const server = await GoServer.start({ maxVersion: "1.9" });
    const error = await dialFailure(server.dial({ version: "negotiate" }));
    expect(error).toMatchObject({
      status: 400,
      validations: [
        { field: "version", detail: "server is at version 1.9, behind requested major version 2.10" },
      ],
    });
    await eventually(() => server.refused.length === 1);
    expect(server.sessions).toEqual([]);
  });
});

describe("negotiation with a server that refuses for something else", () => {
  it.each([
    ["400 without validations", { message: "Internal error fetching workspace." }],
    [
      "400 for another field",
      {
        message: "Bad.",
        validations: [{ field: "role", detail: "server is at version 2.4, behind requested" }],
      },
    ],
    ["400 with the version in its message only", { message: "server is at version 2.4, behind requested" }],
    [
      "400 for a version it cannot read",
      { message: "Bad.", validations: [{ field: "version", detail: "invalid version string: 2.10" }] },
    ],
  ])("%s: fails with that, without a redial", async (_name, json) => {
    const asked: (string | undefined)[] = [];
    const http = createServer().on("upgrade", (request, socket) => {
      asked.push(request.url);
      const body = JSON.stringify(json);
      const head = `HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
      socket.end(`${head}\r\nConnection: close\r\n\r\n${body}`);
    });
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void http.close());
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    const error = await dialFailure(dialAgent({ url, token, proxy: false }));
    expect(error).toMatchObject({ status: 400, reason: json.message });
    expect(asked).toEqual(["/api/v2/workspaceagents/me/rpc?role=agent&version=2.10"]);
  });
});

describeWithGo("versions of a Go client, at our server", () => {
  const startup = { startup: { version: "v2.30.0", expandedDirectory: "/projects" } };

  it.each(versions)("S1.16, S1.19 %s is served, with every RPC", async (version) => {
    const peer = GoPeer.start();
    const plane = await controlPlane();
    const session = await goDial(peer, plane, { version });
    await goCall(peer, session, agentRpc("UpdateStartup"), startup);
    expect((await plane.store.agent(plane.agents[0]?.id ?? ""))?.apiVersion).toBe(version);
    const push = await goCall(peer, session, agentRpc("PushContextState"), { version: "1" });
    expect(push).toEqual({ accepted: true });
    expect(peer.complaints).toEqual([]);
  });

  it.each(minors)("S1.17 2.%i, where ours serves 2.4", async (minor) => {
    const peer = GoPeer.start();
    const plane = await controlPlane({}, { serverVersion: { major: 2, minor: 4 } });
    const version = `2.${minor}`;
    if (minor <= 4) {
      const session = await goDial(peer, plane, { version });
      await goCall(peer, session, agentRpc("UpdateStartup"), startup);
      return;
    }
    const { status, body } = await goFailure(goDial(peer, plane, { version }));
    expect(status).toBe(400);
    expect(JSON.parse(String(body))).toEqual({
      message: "Unknown or unsupported API version",
      validations: [
        {
          field: "version",
          detail: `server is at version 2.4, behind requested minor version ${version}`,
        },
      ],
    });
  });
});
