import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import {
  AppStatusState,
  HttpError,
  LogLevel,
  type ShimChoice,
  UnsupportedByServerError,
} from "../../../src/client/index-node.js";
import {
  BatchCreateLogsResponseSchema,
  GetAnnouncementBannersResponseSchema,
  UpdateAppStatusResponseSchema,
} from "../../../src/gen/coder/agent/v2/agent_pb.js";
import { failure } from "../../support/echo.js";
import { compatPair, token, url } from "./compat-pair.js";

const sourceId = new Uint8Array(16).fill(0xab);
const sourceText = "abababab-abab-abab-abab-abababababab";
const line = { output: "hello", level: LogLevel.WARN, createdAt: timestampFromDate(new Date(0)) };
const status = { slug: "ai", state: AppStatusState.IDLE, message: "waiting", uri: "https://x" };

const refusal = (status: number, message: string) => () => Response.json({ message }, { status });

describe("C1.29 announcement banners of a server that has the service banner only", () => {
  it("are that one banner", async () => {
    const banner = { enabled: true, message: "hi", backgroundColor: "#123456" };
    const { connection, calls } = compatPair({ getServiceBanner: () => banner }, { version: "2.0" });
    const expected = create(GetAnnouncementBannersResponseSchema, { announcementBanners: [banner] });
    expect(await connection.agent.getAnnouncementBanners({})).toEqual(expected);
    expect(connection.supports("getAnnouncementBanners")).toBe(false);
    expect(await connection.agent.getAnnouncementBanners({})).toEqual(expected);
    expect(calls).toEqual(["getAnnouncementBanners", "getServiceBanner", "getServiceBanner"]);
  });

  it("are none where all of it is empty (C10.34), and one where it is switched off", async () => {
    let message = "";
    const { connection } = compatPair({ getServiceBanner: () => ({ message }) });
    const banners = async () => (await connection.agent.getAnnouncementBanners({})).announcementBanners;
    expect(await banners()).toEqual([]);
    message = "later";
    expect(await banners()).toMatchObject([{ enabled: false, message: "later" }]);
  });

  it("are asked for themselves where the server has them, whatever its version", async () => {
    const { connection, calls } = compatPair(
      { getAnnouncementBanners: () => ({ announcementBanners: [] }) },
      { version: "2.0" },
    );
    await connection.agent.getAnnouncementBanners({});
    expect(calls).toEqual(["getAnnouncementBanners"]);
  });

  it("are unsupported where there is no service banner either, and nothing is asked again", async () => {
    const { connection, calls } = compatPair({}, { version: "2.0" });
    for (let i = 0; i < 3; i++) {
      const error = await failure(connection.agent.getAnnouncementBanners({}));
      expect(error).toBeInstanceOf(UnsupportedByServerError);
      expect(error).toMatchObject({ method: "getAnnouncementBanners", rawMessage: "Unimplemented" });
      if (i === 0) expect(error.message).toContain("nor the older way, GetServiceBanner");
    }
    expect(calls).toEqual(["getAnnouncementBanners", "getServiceBanner"]);
  });

  it("fail as the older way fails, which is taken again", async () => {
    let isUp = false;
    const { connection } = compatPair({
      getServiceBanner: () => {
        if (!isUp) throw new ConnectError("database is down", Code.Unavailable);
        return { enabled: true };
      },
    });
    const error = await failure(connection.agent.getAnnouncementBanners({}));
    expect(error).toMatchObject({ code: Code.Unavailable, rawMessage: "database is down" });
    isUp = true;
    expect((await connection.agent.getAnnouncementBanners({})).announcementBanners).toHaveLength(1);
  });
});

describe("C7.18 the status of an app on a server that takes it over HTTP only", () => {
  it("is sent with the connection's token and headers, to the control plane's URL with its prefix", async () => {
    const { connection, calls, requests } = compatPair({}, { version: "2.7" });
    expect(await connection.agent.updateAppStatus(status)).toEqual(create(UpdateAppStatusResponseSchema));
    await connection.agent.updateAppStatus({ slug: "ai" });
    const rest = { icon: "", needs_user_attention: false };
    const request = {
      method: "PATCH",
      url: `${url}/api/v2/workspaceagents/me/app-status`,
      token,
      extra: "1",
    };
    expect(requests).toEqual([
      { ...request, body: { app_slug: "ai", state: "idle", message: "waiting", uri: "https://x", ...rest } },
      { ...request, body: { app_slug: "ai", state: "working", message: "", uri: "", ...rest } },
    ]);
    expect(calls).toEqual(["updateAppStatus"]);
  });

  it("is refused as HTTP refuses it", async () => {
    const { connection } = compatPair({}, { answer: refusal(400, "Failed to get workspace app.") });
    const error = await failure(connection.agent.updateAppStatus(status));
    expect(error).toBeInstanceOf(HttpError);
    expect(error).toMatchObject({ status: 400, reason: "Failed to get workspace app.", layer: "http" });
  });

  it("C1.52 is refused without a request where the state has no word", async () => {
    const { connection, requests } = compatPair({});
    const error = await failure(connection.agent.updateAppStatus({ ...status, state: 77 as AppStatusState }));
    expect(error).toMatchObject({ code: Code.InvalidArgument, rawMessage: "Invalid state: 77" });
    expect(requests).toEqual([]);
  });

  it.each([404, 405])(
    "is unsupported where that is not there either (%i), and not asked again",
    async (code) => {
      const { connection, requests, calls } = compatPair({}, { answer: refusal(code, "Route not found.") });
      for (let i = 0; i < 3; i++) {
        const error = await failure(connection.agent.updateAppStatus(status));
        expect(error).toBeInstanceOf(UnsupportedByServerError);
      }
      expect([calls.length, requests.length]).toEqual([1, 1]);
    },
  );

  it("is given up with the caller's signal", async () => {
    const { connection, requests } = compatPair({});
    await connection.agent.updateAppStatus(status);
    const error = await failure(
      connection.agent.updateAppStatus(status, { signal: AbortSignal.abort(new Error("enough")) }),
    );
    expect(error.code).toBe(Code.Canceled);
    expect(requests).toHaveLength(1);
  });

  it("is unsupported on a connection that knows no URL", async () => {
    const { connection } = compatPair({}, { answer: false });
    expect(await failure(connection.agent.updateAppStatus(status))).toBeInstanceOf(UnsupportedByServerError);
    expect(await failure(connection.agent.batchCreateLogs({ logSourceId: sourceId }))).toBeInstanceOf(
      UnsupportedByServerError,
    );
  });
});

describe("C7.11 logs on a server that takes them over HTTP only", () => {
  it("are sent as JSON, level and time as words", async () => {
    const { connection, requests } = compatPair({});
    const logs = [line, { output: "a <b>", createdAt: line.createdAt }];
    expect(await connection.agent.batchCreateLogs({ logSourceId: sourceId, logs })).toEqual(
      create(BatchCreateLogsResponseSchema),
    );
    expect(requests).toMatchObject([
      {
        method: "PATCH",
        url: `${url}/api/v2/workspaceagents/me/logs`,
        token,
        body: {
          log_source_id: sourceText,
          logs: [
            { created_at: "1970-01-01T00:00:00Z", output: "hello", level: "warn" },
            { created_at: "1970-01-01T00:00:00Z", output: "a <b>", level: "info" },
          ],
        },
      },
    ]);
  });

  it("have a time of now where they have none", async () => {
    const { connection, requests } = compatPair({});
    await connection.agent.batchCreateLogs({ logSourceId: sourceId, logs: [{ output: "x" }] });
    const bodies = requests.map(({ body }) => body as { logs: { created_at: string }[] });
    const ages = bodies
      .flatMap(({ logs }) => logs)
      .map(({ created_at: at }) => Math.abs(Date.now() - Date.parse(at)));
    expect(ages.map((ms) => ms < 60_000)).toEqual([true]);
  });

  it("C1.50 413 is the answer that the limit is reached", async () => {
    const { connection } = compatPair({}, { answer: refusal(413, "Logs limit exceeded") });
    const answer = await connection.agent.batchCreateLogs({ logSourceId: sourceId, logs: [line] });
    expect(answer.logLimitExceeded).toBe(true);
  });

  it("C3.18 an empty batch needs no request, and an id that is none is refused", async () => {
    const { connection, requests } = compatPair({});
    const answer = await connection.agent.batchCreateLogs({ logSourceId: sourceId });
    expect(answer.logLimitExceeded).toBe(false);
    const error = await failure(connection.agent.batchCreateLogs({ logs: [line] }));
    expect(error).toMatchObject({
      code: Code.InvalidArgument,
      rawMessage: "a log source's id has 16 bytes, and not 0",
    });
    expect(requests).toEqual([]);
  });

  it("fail as HTTP fails", async () => {
    const { connection } = compatPair({}, { answer: refusal(500, "Failed to upload logs") });
    const error = await failure(connection.agent.batchCreateLogs({ logSourceId: sourceId, logs: [line] }));
    expect(error).toMatchObject({ status: 500, code: Code.Internal });
  });
});

describe("a server that says with an error that it takes no more logs", () => {
  const texts = ["Logs limit exceeded", "Log limit exceeded", "upload: logs limit exceeded (1 MiB)"];
  const answering = (text: string) => ({
    batchCreateLogs: () => {
      throw new Error(text);
    },
  });

  it.each(texts)("C3.17 is understood: %s", async (text) => {
    const { connection, requests } = compatPair(answering(text));
    const answer = await connection.agent.batchCreateLogs({ logSourceId: sourceId, logs: [line] });
    expect(answer).toEqual(create(BatchCreateLogsResponseSchema, { logLimitExceeded: true }));
    expect(requests).toEqual([]);
    // the server has the RPC
    expect(connection.supports("batchCreateLogs")).toBe(true);
  });

  it.each(["rate limit exceeded", "blogs limit exceeded", "log limits"])("is no other: %s", async (text) => {
    const { connection } = compatPair(answering(text));
    const error = await failure(connection.agent.batchCreateLogs({ logSourceId: sourceId, logs: [line] }));
    expect(error.rawMessage).toBe(text);
  });
});

describe("shims can be switched off", () => {
  const calls = {
    getAnnouncementBanners: {},
    updateAppStatus: status,
    batchCreateLogs: { logSourceId: sourceId, logs: [line] },
  };
  type Method = keyof typeof calls;
  const byMethod: Record<Method, ShimChoice> = {
    getAnnouncementBanners: { bannersFromServiceBanner: false },
    updateAppStatus: { appStatusOverHttp: false },
    batchCreateLogs: { logsOverHttp: false },
  };

  const outcomes = async (shims: ShimChoice | undefined) => {
    const { connection } = compatPair({ getServiceBanner: () => ({}) }, shims === undefined ? {} : { shims });
    const agent = connection.agent as unknown as Record<Method, (request: object) => Promise<unknown>>;
    const all = Object.entries(calls).map(async ([method, request]) => {
      const error = await agent[method as Method](request).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (error !== undefined) expect(error).toBeInstanceOf(UnsupportedByServerError);
      return [method, error === undefined] as const;
    });
    return Object.fromEntries(await Promise.all(all));
  };

  it("all of them are taken by default, none with false", async () => {
    const all = (taken: boolean) => Object.fromEntries(Object.keys(calls).map((method) => [method, taken]));
    expect(await outcomes(undefined)).toEqual(all(true));
    expect(await outcomes({})).toEqual(all(true));
    expect(await outcomes(false)).toEqual(all(false));
  });

  it.each(Object.keys(calls) as Method[])("one by one: %s", async (off) => {
    const taken = await outcomes(byMethod[off]);
    expect(taken).toEqual(Object.fromEntries(Object.keys(calls).map((method) => [method, method !== off])));
  });

  it("the one for the log limit too", async () => {
    const { connection } = compatPair(
      {
        batchCreateLogs: () => {
          throw new Error("Logs limit exceeded");
        },
      },
      { shims: { logLimitFromError: false } },
    );
    const error = await failure(connection.agent.batchCreateLogs({ logSourceId: sourceId, logs: [line] }));
    expect(error.rawMessage).toBe("Logs limit exceeded");
  });
});
