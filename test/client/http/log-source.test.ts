import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { HttpError, type LogSourceRequest, registerLogSource } from "../../../src/client/index-node.js";
import { controlPlane, token } from "../../support/control-plane.js";
import { failure } from "../../support/echo.js";
import { httpServer, silentServer } from "../../support/http-servers.js";

const id = "11111111-2222-4333-8444-555555555555";
const source = (url: string, more: Partial<LogSourceRequest> = {}): LogSourceRequest => ({
  url,
  token,
  id,
  displayName: "Build",
  ...more,
});

async function refusal(options: LogSourceRequest): Promise<HttpError> {
  const error = await failure(registerLogSource(options));
  expect(error).toBeInstanceOf(HttpError);
  expect(String(error.stack)).not.toContain(token);
  return error as HttpError;
}

describe("C1.44 a log source", () => {
  it("is registered, and again", async () => {
    const plane = await controlPlane();
    await registerLogSource(source(plane.url, { icon: "/i.png" }));
    await registerLogSource(source(plane.url));
    expect(await plane.store.logSources(plane.agents[0]?.id ?? "")).toMatchObject([
      { id, displayName: "Build", icon: "/i.png" },
    ]);
  });

  it("keeps the path of the URL as a prefix", async () => {
    const paths: string[] = [];
    const { url } = await httpServer((request, response) => {
      paths.push(`${request.method} ${request.url}`);
      response.writeHead(201).end();
    });
    await registerLogSource(source(`${url.replace("http", "ws")}/prefix/`));
    expect(paths).toEqual(["POST /prefix/api/v2/workspaceagents/me/log-source"]);
  });

  it("that is refused has the server's words", async () => {
    const plane = await controlPlane();
    expect(await refusal(source(plane.url, { token: id }))).toMatchObject({
      code: Code.Unauthenticated,
      layer: "http",
      status: 401,
    });
    const error = await refusal(source(plane.url, { id: "none" }));
    expect(error).toMatchObject({
      code: Code.InvalidArgument,
      status: 400,
      detail: "id: invalid UUID length: 4",
    });
    expect(error.rawMessage).toBe(
      `POST ${plane.url}/api/v2/workspaceagents/me/log-source: status 400: Request body must be valid JSON.; id: invalid UUID length: 4`,
    );
  });

  it("is not sent on to another host, where the token does not belong", async () => {
    const other = await httpServer((_request, response) => response.writeHead(201).end());
    const { url } = await httpServer((_request, response) =>
      response.writeHead(307, { Location: other.url }).end(),
    );
    expect(await refusal(source(url))).toMatchObject({ status: 307 });
  });

  it("ends in time, and with its signal", async () => {
    const { url } = await silentServer();
    expect(await refusal(source(url, { timeoutMs: 50 }))).toMatchObject({
      code: Code.DeadlineExceeded,
      reason: "no answer within 50 ms",
    });
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 20);
    expect(await refusal(source(url, { signal: abort.signal }))).toMatchObject({ code: Code.Canceled });
  });

  it("that reaches nobody says why", async () => {
    const { server, url } = await silentServer();
    await new Promise((resolve) => server.close(resolve));
    const error = await refusal(source(url));
    expect(error).toMatchObject({ code: Code.Unavailable, status: undefined });
    expect(error.reason).toContain("ECONNREFUSED");
  });
});
