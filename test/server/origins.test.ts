import { describe, expect, it } from "vitest";
import type { ControlPlane } from "../../src/server/index.js";
import { controlPlane, token } from "../support/control-plane.js";
import { type RawAnswer, rawRequest } from "../support/raw-http.js";

const cookie = `Cookie: theme=dark; coder_session_token=${token}`;
const foreign = "Origin: https://evil.test";
const me = "/api/v2/workspaceagents/me";
const source = JSON.stringify({
  id: "11111111-2222-4333-8444-555555555555",
  display_name: "From a page",
  icon: "/i.svg",
});

function ask(plane: ControlPlane, first: string, headers: readonly string[], body = ""): Promise<RawAnswer> {
  const length = `Content-Length: ${Buffer.byteLength(body)}`;
  return rawRequest(plane.url, [`${first} HTTP/1.1`, ...headers, length], body);
}

/** Registers a source of logs, as a page can do with a form. */
const register = (plane: ControlPlane, ...headers: string[]) =>
  ask(plane, `POST ${me}/log-source`, ["Content-Type: text/plain", ...headers], source);

const sources = (plane: ControlPlane) => plane.store.logSources(plane.agents[0]?.id ?? "");

const own = (plane: ControlPlane) => `Origin: ${new URL(plane.url).origin}`;

describe("a request that changes something with a cookie", () => {
  it.each([
    ["of a page of another site", [foreign], 'request Origin "evil.test" is not authorized for Host '],
    ["of a page without an origin of its own", ["Origin: null"], 'request Origin "null" is not a valid URL'],
    [
      "that is from elsewhere, as the browser says,",
      ["Sec-Fetch-Site: cross-site"],
      'request Sec-Fetch-Site "cross-site" is not authorized',
    ],
    [
      "of a page of a neighbouring host",
      ["Sec-Fetch-Site: same-site", "Origin: http://other.127.0.0.1"],
      'request Origin "other.127.0.0.1" is not authorized for Host ',
    ],
  ])("%s is refused, and changes nothing", async (_what, headers, detail) => {
    const plane = await controlPlane();
    const answer = await register(plane, cookie, ...headers);
    expect(answer.status).toBe(403);
    const json = JSON.parse(answer.body) as { message: string; detail: string };
    expect(json.message).toBe("Forbidden.");
    expect(json.detail).toContain(detail);
    expect(json.detail).toMatch(/send the token in a header\.$/);
    expect(await sources(plane)).toEqual([]);
  });

  it("is refused though the page adds a token of its own to the URL, or a header that browsers add", async () => {
    const plane = await controlPlane();
    const path = `${me}/log-source?coder_session_token=x&access_token=y`;
    expect((await ask(plane, `POST ${path}`, [cookie, foreign], source)).status).toBe(403);
    expect((await register(plane, cookie, foreign, "Authorization: Basic YWRhOnB3")).status).toBe(403);
    expect((await register(plane, cookie, foreign, "Coder-Session-Token: ")).status).toBe(403);
  });

  it("is answered when it is a page's of the server, also behind a proxy that changes the host", async () => {
    const plane = await controlPlane();
    expect((await register(plane, cookie, own(plane))).status).toBe(201);
    expect((await register(plane, cookie, "Sec-Fetch-Site: same-origin", foreign)).status).toBe(201);
  });

  it("is answered when no browser makes it", async () => {
    const plane = await controlPlane();
    expect((await register(plane, cookie)).status).toBe(201);
  });

  it("is refused over Connect too", async () => {
    const plane = await controlPlane();
    const call = (...headers: string[]) =>
      ask(
        plane,
        "POST /coder.agent.v2.Agent/GetManifest",
        ["Content-Type: application/json", ...headers],
        "{}",
      );
    const refused = await call(cookie, foreign);
    expect(refused.status).toBe(403);
    expect(JSON.parse(refused.body)).toMatchObject({ code: "permission_denied" });
    expect((await call(cookie, own(plane))).status).toBe(200);
    expect((await call(foreign, `Coder-Session-Token: ${token}`)).status).toBe(200);
  });
});

describe("a request of another origin", () => {
  it("is answered when its token is in a header, or in the URL without a cookie", async () => {
    const plane = await controlPlane();
    const everywhere = [foreign, "Sec-Fetch-Site: cross-site"];
    expect((await register(plane, ...everywhere, `Coder-Session-Token: ${token}`)).status).toBe(201);
    expect((await register(plane, ...everywhere, `Authorization: Bearer ${token}`)).status).toBe(201);
    expect((await register(plane, cookie, ...everywhere, `Authorization: bearer ${token}`)).status).toBe(201);
    const path = `${me}/log-source?coder_session_token=${token}`;
    expect((await ask(plane, `POST ${path}`, everywhere, source)).status).toBe(201);
  });

  it("is answered when it changes nothing", async () => {
    const plane = await controlPlane();
    expect((await ask(plane, `GET ${me}/nope`, [cookie, foreign])).status).toBe(404);
    expect((await ask(plane, `GET ${me}/reinit?wait=true`, [cookie, foreign])).status).toBe(409);
  });
});
