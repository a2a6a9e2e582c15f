import { describe, expect, it } from "vitest";
import type {
  ControlPlaneOptions,
  ExternalAuth,
  ExternalAuthLink,
  ExternalAuthProvider,
  LogSnapshot,
} from "../../../src/server/index.js";
import { eventually, token } from "../../support/control-plane.js";
import { answered, type HttpApi, httpApi } from "../../support/http-api.js";

const forbidden = {
  message: "Forbidden.",
  detail: expect.stringContaining("You don't have permission to view this content."),
};

/** The agent may have nothing of its user. */
async function withoutUserData({ plane, agentId }: HttpApi): Promise<void> {
  const { store } = plane;
  const byToken = store.agentByToken.bind(store);
  store.agentByToken = async (given) => {
    const agent = await byToken(given);
    return agent && { ...agent, keyScope: "no_user_data" };
  };
  expect((await store.agentByToken(token))?.id).toBe(agentId);
}

/** Providers on one link, and what was asked of them. */
function externalAuth(provider: Partial<ExternalAuthProvider> = {}) {
  const asked = { validated: [] as string[], refreshed: [] as string[] };
  const state = {
    link: undefined as ExternalAuthLink | undefined,
    fails: false,
    valid: new Set(["good", "new"]),
  };
  const base: ExternalAuthProvider = {
    id: "github",
    type: "github",
    urlPattern: "^https://github\\.com",
    async validate(accessToken) {
      asked.validated.push(accessToken);
      return state.valid.has(accessToken);
    },
    ...provider,
  };
  const auth: ExternalAuth = {
    providers: [base],
    async link() {
      if (state.fails) throw new Error("store is down");
      return state.link;
    },
    async saveLink(link) {
      state.link = link;
    },
  };
  return { auth, state, asked };
}

function link(change: Partial<ExternalAuthLink> = {}): ExternalAuthLink {
  return {
    ownerId: "o",
    providerId: "github",
    accessToken: "good",
    refreshToken: "r1",
    expiresAtUs: undefined,
    extra: undefined,
    refreshRefused: undefined,
    ...change,
  };
}

const linkHere = {
  access_token: "",
  token_extra: null,
  url: "https://dev.example.com/external-auth/github",
  type: "",
  expires_at: "0001-01-01T00:00:00Z",
  username: "",
  password: "",
};

const accessUrl = "https://dev.example.com";
const past = 1_000_000;
const future = Date.UTC(2100, 0, 1) * 1000;

async function withLink(
  current: ExternalAuthLink | undefined,
  provider: Partial<ExternalAuthProvider> = {},
  options: ControlPlaneOptions = {},
) {
  const faked = externalAuth(provider);
  faked.state.link = current;
  const api = await httpApi({}, { externalAuth: faked.auth, accessUrl, ...options });
  return { ...faked, api, ask: (query = "id=github") => api.me("GET", `external-auth?${query}`) };
}

describe("S5-E GET /me/external-auth", () => {
  it("wants a URL or an id, and not both (S5.17, S5.18)", async () => {
    const { ask } = await withLink(undefined);
    const neither = { message: "'url' or 'id' must be provided!" };
    expect((await ask("")).json).toEqual(neither);
    expect((await ask("match=&id=")).json).toEqual(neither);
    expect((await ask("match=a&id=b")).json).toEqual({
      message: "'url' and 'id' cannot be provided together!",
    });
    const url = encodeURIComponent("https://github.com/a/b");
    expect((await ask(`url=${url}&chat_id=nonsense&git_branch=main`)).json).toEqual(linkHere);
    expect((await ask(`match=${url}`)).json).toEqual(linkHere);
  });

  it("is the same under its older name, and says where the request came to by default", async () => {
    const { api } = await withLink(undefined, {}, { accessUrl: undefined as never });
    const { json } = await api.me("GET", "gitauth?id=github");
    expect(json).toEqual({ ...linkHere, url: `${api.plane.url}/external-auth/github` });
  });

  it("takes the last provider whose pattern matches, and says which there are (S5.19)", async () => {
    const validate = async () => true;
    const providers: ExternalAuthProvider[] = [
      { id: "one", type: "gitlab", urlPattern: "example", validate },
      { id: "two", type: "gitlab", urlPattern: "example\\.com", validate },
      { id: "plain", type: "slack", validate },
    ];
    const { me } = await httpApi({}, { accessUrl, externalAuth: { ...externalAuth().auth, providers } });
    expect((await me("GET", "external-auth?match=example.com")).json).toMatchObject({
      url: `${accessUrl}/external-auth/two`,
    });
    const missing = await me("GET", "external-auth?match=elsewhere");
    expect([missing.status, missing.json]).toEqual([
      404,
      {
        message: 'No matching external auth provider found in Coder for the url "elsewhere".',
        detail:
          'The configured external auth provider have regex filters that do not match the url. Provider url regex: one="example",two="example\\\\.com"',
      },
    ]);
    const { me: askNone } = await httpApi();
    const none = await askNone("GET", "external-auth?id=x");
    expect([none.status, none.json]).toEqual([
      404,
      {
        message: 'No matching external auth provider found in Coder for the url "".',
        detail: "External auth provider not found.",
      },
    ]);
    expect((await askNone("GET", "external-auth")).status).toBe(400);
  });

  it("gives nothing to an agent without user data, and looks nothing up (S5.20)", async () => {
    const { api, ask, asked } = await withLink(link());
    await withoutUserData(api);
    const { status, json } = await ask();
    expect([status, json]).toEqual([403, forbidden]);
    expect(asked.validated).toEqual([]);
  });

  it.each([
    ["github", { username: "good", password: "" }],
    ["gitlab", { username: "oauth2", password: "good" }],
    ["bitbucket-cloud", { username: "x-token-auth", password: "good" }],
    ["bitbucket-server", { username: "x-token-auth", password: "good" }],
    ["anything", { username: "good", password: "" }],
  ])("answers a good token as %s wants it (S5.23)", async (type, credentials) => {
    const { ask } = await withLink(link({ extra: { a: 1 } }), { type });
    expect((await ask()).json).toEqual({
      ...{ access_token: "good", token_extra: { a: 1 }, url: "", type },
      expires_at: "0001-01-01T00:00:00Z",
      ...credentials,
    });
  });

  it("says where to link for a token that the service refuses, and when one expires (S5.21)", async () => {
    const refused = await withLink(link({ accessToken: "bad" }));
    expect((await refused.ask()).json).toEqual(linkHere);
    const expiring = await withLink(link({ expiresAtUs: future }));
    expect((await expiring.ask()).json).toMatchObject({ expires_at: "2100-01-01T00:00:00.000000Z" });
    const expired = await withLink(link({ expiresAtUs: past }));
    expect((await expired.ask()).json).toEqual(linkHere);
    expect(expired.asked.validated).toEqual([]);
  });

  it("renews an expired token, once for all who ask at the same time (S5.21)", async () => {
    const refreshed: string[] = [];
    const { ask, state } = await withLink(link({ accessToken: "old", expiresAtUs: past }), {
      async refresh(refreshToken) {
        refreshed.push(refreshToken);
        await new Promise((resolve) => setTimeout(resolve, 30));
        return { accessToken: "new", refreshToken: "r2", expiresAtUs: future };
      },
    });
    const answers = await Promise.all([ask(), ask(), ask()]);
    for (const { json } of answers) expect(json).toMatchObject({ access_token: "new" });
    expect(refreshed).toEqual(["r1"]);
    expect(state.link).toMatchObject({ accessToken: "new", refreshToken: "r2", expiresAtUs: future });
  });

  it("keeps why a renewal was refused, and does not ask again until the user links anew", async () => {
    let asked = 0;
    const { ask, state } = await withLink(link({ expiresAtUs: past }), {
      async refresh() {
        asked++;
        return { refused: "the token was revoked" };
      },
    });
    expect((await ask()).json).toEqual(linkHere);
    expect((await ask()).json).toEqual(linkHere);
    expect(asked).toBe(1);
    expect(state.link).toMatchObject({ refreshRefused: "the token was revoked", refreshToken: "r1" });
    state.link = link({ expiresAtUs: past, refreshToken: "r9" });
    await ask();
    expect(asked).toBe(2);
  });

  it("answers failures of the store and of the service with 500 (S5.21)", async () => {
    const broken = await withLink(link({ expiresAtUs: past }), {
      refresh: () => Promise.reject(new Error("service is down")),
    });
    const failed = await broken.ask();
    expect([failed.status, failed.json]).toEqual([
      500,
      { message: "Failed to refresh external auth token.", detail: "service is down" },
    ]);
    // it is not the token's fault
    expect(broken.state.link?.refreshRefused).toBeUndefined();
    broken.state.fails = true;
    expect((await broken.ask()).json).toEqual({
      message: "Failed to get external auth link.",
      detail: "store is down",
    });
  });

  it("with listen waits for a link, and asks about each token once (S5.22)", async () => {
    const { ask, state, asked } = await withLink(link({ accessToken: "bad" }));
    const waiting = ask("id=github&listen");
    await eventually(() => asked.validated.length === 1, "the first look");
    await new Promise((resolve) => setTimeout(resolve, 1200));
    expect(asked.validated).toEqual(["bad"]);
    state.link = link({ accessToken: "good" });
    expect((await waiting).json).toMatchObject({ access_token: "good", type: "github" });
    expect(asked.validated).toEqual(["bad", "good"]);
  });

  it("with listen ends when the client leaves, when the store fails, and when the server closes", async () => {
    const { api, state, ask } = await withLink(undefined);
    const leaving = new AbortController();
    const left = answered(`${api.plane.url}/api/v2/workspaceagents/me/external-auth?id=github&listen=1`, {
      headers: { "Coder-Session-Token": token },
      signal: leaving.signal,
    });
    setTimeout(() => leaving.abort(), 50);
    await expect(left).rejects.toThrow();
    const failing = ask("id=github&listen=");
    await new Promise((resolve) => setTimeout(resolve, 50));
    state.fails = true;
    expect((await failing).json).toEqual({
      message: "Failed to get external auth link.",
      detail: "store is down",
    });
    state.fails = false;
    const closing = ask("id=github&listen");
    await new Promise((resolve) => setTimeout(resolve, 50));
    await api.plane.api.close();
    expect((await closing).status).toBe(503);
  });
});

describe("S5-F GET /me/gitsshkey", () => {
  it("gives the owner's key (S5.25)", async () => {
    const owners: string[] = [];
    const gitSshKeys = {
      async keyOf(ownerId: string) {
        owners.push(ownerId);
        return { publicKey: "ssh-ed25519 AAA", privateKey: "secret" };
      },
    };
    const { me, plane, workspaceId } = await httpApi({}, { gitSshKeys });
    expect((await me("GET", "gitsshkey")).json).toEqual({
      public_key: "ssh-ed25519 AAA",
      private_key: "secret",
    });
    expect(owners).toEqual([(await plane.store.workspace(workspaceId))?.ownerId]);
  });

  it("is refused to an agent without user data (S5.26)", async () => {
    const api = await httpApi({}, { gitSshKeys: { keyOf: () => Promise.reject(new Error("not asked")) } });
    await withoutUserData(api);
    const { status, json } = await api.me("GET", "gitsshkey");
    expect([status, json]).toEqual([403, forbidden]);
  });

  it("is 500 where there are no keys, none of the user, or a failure (S5.26)", async () => {
    const keyStores: ControlPlaneOptions[] = [
      {},
      { gitSshKeys: { keyOf: async () => undefined } },
      { gitSshKeys: { keyOf: () => Promise.reject(new Error("down")) } },
    ];
    for (const options of keyStores) {
      const { me } = await httpApi({}, options);
      const { status, json } = await me("GET", "gitsshkey");
      expect(status).toBe(500);
      expect(json).toMatchObject({ message: "Internal error fetching git SSH key." });
    }
  });
});

describe("S5-H POST /me/tasks/{task}/log-snapshot", () => {
  async function withTask() {
    const saved: LogSnapshot[] = [];
    const agents = [{ name: "main", token, apps: [{ slug: "ai" }] }];
    const workspaces = [{ owner: "ada", name: "dev", task: { name: "t", agent: "main", app: "ai" }, agents }];
    const api = await httpApi({}, { workspaces, saveLogSnapshot: (snapshot) => void saved.push(snapshot) });
    const taskId = (await api.plane.store.workspace(api.workspaceId))?.task?.id ?? "";
    const post = (body: unknown, query = "?format=agentapi", id = taskId) =>
      api.me("POST", `tasks/${id}/log-snapshot${query}`, body);
    return { ...api, saved, taskId, post };
  }
  const notFound = { message: "Resource not found or you do not have access to this resource" };

  it("keeps the conversation of the workspace's task (S5.37)", async () => {
    const { post, saved, taskId, agentId, workspaceId } = await withTask();
    const payload = { messages: [{ id: 1, role: "user", content: "hi" }], truncated: false };
    const { status, text, headers } = await post(payload);
    expect([status, text, headers.get("content-type"), headers.get("content-length")]).toEqual([
      ...[204, "", null, null],
    ]);
    expect((await post({ messages: [] })).status).toBe(204);
    expect(saved).toMatchObject([
      { taskId, agentId, workspaceId, format: "agentapi", data: payload },
      { data: { messages: [] } },
    ]);
  });

  it("looks at the id, the query, the format, the task, the payload, in this order (S5.36)", async () => {
    const { post, saved, me } = await withTask();
    const other = "00000000-0000-4000-8000-000000000001";
    expect((await post("{", "", "no-uuid")).json).toEqual({ message: "Invalid task ID format." });
    expect((await post("{", "", other)).json).toMatchObject({
      message: "Invalid query parameters.",
      validations: [{ field: "format" }],
    });
    expect((await post("{", "?format=agentapi&more=1", other)).json).toMatchObject({
      validations: [{ field: "more", detail: '"more" is not a valid query param' }],
    });
    expect((await post("{", "?format=xml", other)).json).toEqual({
      message: "Invalid format parameter.",
      detail: 'Only "agentapi" format is currently supported, got "xml".',
    });
    const foreign = await post("{", "?format=agentapi", other);
    expect([foreign.status, foreign.json]).toEqual([404, notFound]);
    const big = JSON.stringify({ messages: ["x".repeat(70_000)] });
    for (const body of ["{", "[]", "5", big, '{"messages":5}']) {
      const { status, json } = await post(body);
      expect(status).toBe(400);
      expect(json).toMatchObject({ message: "Failed to decode request payload." });
    }
    for (const body of ["{}", "null", '{"messages":null}']) {
      expect((await post(body)).json).toEqual({
        message: "Invalid agentapi payload structure.",
        detail: 'Missing required "messages" field.',
      });
    }
    expect(saved).toEqual([]);
    expect((await me("GET", `tasks/${other}/log-snapshot`)).status).toBe(405);
  });

  it("is not there without somebody who keeps it", async () => {
    const { me } = await httpApi();
    const id = "00000000-0000-4000-8000-000000000001";
    const { status, json } = await me("POST", `tasks/${id}/log-snapshot?format=agentapi`, { messages: [] });
    expect([status, json]).toEqual([404, notFound]);
  });
});

describe("S5-I POST /me/experimental/chat-context/refresh", () => {
  it("has no chats to refresh (S5.38)", async () => {
    const { me } = await httpApi();
    const { status, json } = await me("POST", "experimental/chat-context/refresh");
    expect([status, json]).toEqual([200, { refreshed: 0 }]);
  });
});
