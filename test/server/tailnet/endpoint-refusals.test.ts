import { describe, expect, it } from "vitest";
import type { ControlPlaneOptions } from "../../../src/server/index.js";
import { token as agentToken } from "../../support/control-plane.js";
import { adminToken, type HttpApi, httpApi, readerToken, strangerToken } from "../../support/http-api.js";
import { rawRequest, upgradeLines } from "../../support/raw-http.js";

const tokenHeader = (given: string) => `Coder-Session-Token: ${given}`;
const admin = tokenHeader(adminToken);
const noCredentials = {
  message: "API key or external proxy authentication required, but none provided",
};
const browserOnly = { message: "Non-browser connections are disabled for your deployment." };
const foreign = "Origin: https://other.example.com";

function versionRefused(detail: string) {
  return { message: "Unknown or unsupported API version", validations: [{ field: "version", detail }] };
}

/** Status and JSON of an upgrade's answer. */
async function asked({ plane }: HttpApi, path: string, ...headers: string[]): Promise<unknown[]> {
  const { status, body } = await rawRequest(plane.url, upgradeLines(`/api/v2/${path}`, ...headers));
  return body.startsWith("{") ? [status, JSON.parse(body)] : body === "" ? [status] : [status, body];
}

/** A control plane of which tests say whether it is for browsers only. */
async function withBrowserRule(options: ControlPlaneOptions = {}) {
  const rule = { isBrowserOnly: false };
  const api = await httpApi({}, { tailnet: { isBrowserOnly: async () => rule.isBrowserOnly }, ...options });
  return { api, rule };
}

describe("S4.28 /api/v2/tailnet", () => {
  it("refuses in this order: user, browsers only, version, resume token, WebSocket", async () => {
    const { api, rule } = await withBrowserRule();
    rule.isBrowserOnly = true;
    const bad = "tailnet?version=3.0&resume_token=nonsense";
    expect(await asked(api, bad, foreign)).toEqual([401, noCredentials]);
    expect(await asked(api, bad, foreign, tokenHeader(agentToken))).toEqual([401, noCredentials]);
    expect(await asked(api, bad, foreign, admin)).toEqual([409, browserOnly]);
    rule.isBrowserOnly = false;
    expect(await asked(api, bad, foreign, admin)).toEqual([
      400,
      versionRefused("server is at version 2.10, behind requested major version 3.0"),
    ]);
    expect(await asked(api, "tailnet?version=2.0&resume_token=nonsense", foreign, admin)).toEqual([
      401,
      {
        message: "Invalid resume token",
        detail: "it is not a signed token",
        validations: [{ field: "resume_token", detail: "Invalid resume token" }],
      },
    ]);
    const [status, body] = await asked(api, "tailnet?version=2.0", foreign, admin);
    expect([status, String(body).split("\n")[0]]).toEqual([
      403,
      expect.stringMatching(/^request Origin "other\.example\.com" is not authorized for Host/),
    ]);
    expect(await asked(api, "tailnet?version=2.0", admin)).toEqual([101]);
  });

  it.each([
    ["", [101]],
    ["?version=", [101]],
    ["?version=2.3&resume_token=", [101]],
    ["?version=2.10", [101]],
    ["?version=1.0", [400, versionRefused("version 1.0 is no longer supported")]],
    ["?version=2", [400, versionRefused("invalid version string: 2")]],
    ["?version=2.x", [400, versionRefused("invalid minor version: 2.x")]],
    [
      "?version=2.11",
      [400, versionRefused("server is at version 2.10, behind requested minor version 2.11")],
    ],
  ])("S1.17 answers %j with %j", async (query, expected) => {
    expect(await asked(await httpApi(), `tailnet${query}`, admin)).toEqual(expected);
  });

  it("is of the version that the server is", async () => {
    const api = await httpApi({}, { serverVersion: { major: 2, minor: 3 } });
    expect(await asked(api, "tailnet?version=2.3", admin)).toEqual([101]);
    expect(await asked(api, "tailnet?version=2.4", admin)).toEqual([
      400,
      versionRefused("server is at version 2.3, behind requested minor version 2.4"),
    ]);
  });

  it("takes whoever is a user, also one who may connect to nothing", async () => {
    expect(await asked(await httpApi(), "tailnet", tokenHeader(strangerToken))).toEqual([101]);
  });

  it("takes the token of a browser's query", async () => {
    expect(await asked(await httpApi(), `tailnet?coder_session_token=${adminToken}`)).toEqual([101]);
  });
});

describe("S4.35 /api/v2/workspaceagents/{id}/coordinate", () => {
  const notThere = { message: "Agent doesn't exist with that id, or you do not have access to it." };
  const notForYou = { message: "Resource not found or you do not have access to this resource" };

  it("refuses in this order: user, store, agent, browsers only, version, resume token, WebSocket", async () => {
    const { api, rule } = await withBrowserRule();
    rule.isBrowserOnly = true;
    const { store } = api.plane;
    const { workspace } = store;
    store.workspace = () => Promise.reject(new Error("no connection to db.example.com"));
    const bad = `workspaceagents/${api.agentId}/coordinate?resume_token=nonsense`;
    expect(await asked(api, bad, foreign)).toEqual([401, noCredentials]);
    expect(await asked(api, bad, foreign, admin)).toEqual([500, { message: "database not reachable" }]);
    store.workspace = workspace;
    expect(await asked(api, bad, foreign, tokenHeader(strangerToken))).toEqual([404, notThere]);
    expect(await asked(api, bad, foreign, tokenHeader(readerToken))).toEqual([404, notForYou]);
    expect(await asked(api, bad, foreign, admin)).toEqual([409, browserOnly]);
    rule.isBrowserOnly = false;
    expect(await asked(api, bad, foreign, admin)).toEqual([
      400,
      versionRefused("version 1.0 is no longer supported"),
    ]);
    const [status, refusal] = await asked(api, `${bad}&version=2.0`, foreign, admin);
    expect([status, refusal]).toMatchObject([401, { message: "Invalid resume token" }]);
    const good = `workspaceagents/${api.agentId}/coordinate?version=2.0`;
    expect((await asked(api, good, foreign, admin))[0]).toBe(403);
    expect(await asked(api, good, admin)).toEqual([101]);
  });

  it("S5.42 says what is no id, and what agent is not there", async () => {
    const api = await httpApi();
    expect(await asked(api, "workspaceagents/nope/coordinate?version=2.0", admin)).toEqual([
      400,
      { message: 'Invalid UUID "nope".', detail: "invalid UUID length: 4" },
    ]);
    const unknown = "00000000-0000-4000-8000-000000000001";
    expect(await asked(api, `workspaceagents/${unknown}/coordinate?version=2.0`, admin)).toEqual([
      404,
      notThere,
    ]);
  });

  it("asks about the agent and its workspace who may connect", async () => {
    const askedAbout: string[] = [];
    const api = await httpApi(
      {},
      {
        authenticateUser: () => ({
          id: "some",
          mayRead: "everything",
          mayConnect: async (workspace, agent) => {
            askedAbout.push(`${workspace.name}/${agent.name}`);
            return askedAbout.length > 1;
          },
        }),
      },
    );
    const path = `workspaceagents/${api.agentId}/coordinate?version=2.0`;
    expect(await asked(api, path)).toEqual([404, notForYou]);
    expect(await asked(api, path)).toEqual([101]);
    expect(askedAbout).toEqual(["dev/main", "dev/main"]);
  });

  it("S5.4 is nothing that an agent has under its own name", async () => {
    const { me } = await httpApi();
    expect((await me("GET", "coordinate")).json).toEqual({ message: "Route not found." });
  });
});

describe("both", () => {
  it("need an upgrade, and a GET", async () => {
    const { plane, agentId } = await httpApi();
    for (const path of ["tailnet", `workspaceagents/${agentId}/coordinate?version=2.0`]) {
      const plain = await rawRequest(plane.url, [`GET /api/v2/${path} HTTP/1.1`, admin]);
      expect([plain.status, plain.body.split("\n")[0]]).toEqual([
        426,
        'WebSocket protocol violation: Connection header "" does not contain Upgrade',
      ]);
      const post = await rawRequest(plane.url, [`POST /api/v2/${path} HTTP/1.1`, admin, "Content-Length: 0"]);
      expect([post.status, post.headers["allow"]]).toEqual([405, "GET"]);
    }
  });

  it("S1.4 have nothing below them", async () => {
    const api = await httpApi();
    expect(await asked(api, "tailnet/x")).toEqual([401, noCredentials]);
    expect(await asked(api, "tailnet/x", admin)).toEqual([404, { message: "Route not found." }]);
  });

  it("S1.3 count for the rate limit, users by who they are", async () => {
    const api = await httpApi({}, { rateLimit: { requestsPerMinute: 1 } });
    const limited = {
      message: "You've been rate limited for sending more than 1 requests in 1m0s.",
    };
    expect(await asked(api, "tailnet", admin)).toEqual([101]);
    expect(await asked(api, "tailnet", admin)).toEqual([429, limited]);
    expect(await asked(api, "tailnet", tokenHeader(readerToken))).toEqual([101]);
    const one = `workspaceagents/${api.agentId}/coordinate?version=2.0`;
    expect(await asked(api, one, admin)).toEqual([101]);
    expect(await asked(api, one, admin)).toEqual([429, limited]);
  });

  it("do not say what a hook of the control plane's failed with", async () => {
    const tailnet = { isBrowserOnly: () => Promise.reject(new Error("db.example.com is down")) };
    const api = await httpApi({}, { tailnet });
    expect(await asked(api, "tailnet", admin)).toEqual([
      500,
      { message: "An internal server error occurred." },
    ]);
  });
});
