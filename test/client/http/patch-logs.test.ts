import { describe, expect, it } from "vitest";
import { externalLogSourceId, LogLevel, patchLogs } from "../../../src/client/index-node.js";
import { controlPlane, token } from "../../support/control-plane.js";
import { failure } from "../../support/echo.js";
import { recordedServer } from "./recorded.js";

const logSourceId = "11111111-2222-4333-8444-555555555555";

describe("C1.42 log lines without a connection", () => {
  it("are sent in these fields, as text that is not escaped, with a newline at the end", async () => {
    const { url, asked } = await recordedServer("PATCH logs");
    const createdAt = new Date("2026-01-02T03:04:05.678Z");
    await patchLogs({
      url,
      token,
      logSourceId,
      logs: [{ createdAt, output: "<a> & b", level: LogLevel.WARN }],
    });
    expect(asked[0]).toMatchObject({
      line: "PATCH /api/v2/workspaceagents/me/logs",
      headers: { "coder-session-token": token, "content-type": "application/json" },
      body: `{"log_source_id":"${logSourceId}","logs":[{"created_at":"2026-01-02T03:04:05.678Z","output":"<a> & b","level":"warn"}]}\n`,
    });
  });

  it("are stored, of every level, from outside by default (C1.49)", async () => {
    const plane = await controlPlane();
    const levels = [LogLevel.TRACE, LogLevel.DEBUG, LogLevel.INFO, LogLevel.WARN, LogLevel.ERROR, undefined];
    const logs = levels.map((level, i) => ({ output: `${i}`, ...(level === undefined ? {} : { level }) }));
    await patchLogs({ url: plane.url, token, logs });
    const stored = await plane.store.logs(plane.agents[0]?.id ?? "", 0, 100);
    expect(stored.map(({ output, level }) => `${output} ${level}`)).toEqual([
      ...["0 trace", "1 debug", "2 info", "3 warn", "4 error", "5 info"],
    ]);
    expect(new Set(stored.map((line) => line.logSourceId))).toEqual(new Set([externalLogSourceId]));
  });

  it("that are too many are refused with 413 (C1.18, C1.50)", async () => {
    const plane = await controlPlane();
    const patch = (output: string) => patchLogs({ url: plane.url, token, logs: [{ output }] });
    const error = await failure(patch("x".repeat(1_048_577)));
    expect(error).toMatchObject({ status: 413, reason: "Logs limit exceeded" });
    // what still fits is taken after it
    await patch("y");
  });

  it("that are none are refused with the server's words (C1.50)", async () => {
    const plane = await controlPlane();
    expect(await failure(patchLogs({ url: plane.url, token, logs: [] }))).toMatchObject({
      status: 400,
      reason: "No logs provided.",
    });
  });

  it("of a level that there is not are not sent (C1.51)", async () => {
    const { url, asked } = await recordedServer("PATCH logs");
    const level = 9 as LogLevel;
    expect((await failure(patchLogs({ url, token, logs: [{ output: "x", level }] }))).message).toBe(
      "unknown log level: 9",
    );
    expect(asked).toEqual([]);
  });
});
