import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { atTimesOf } from "../../src/agent/scripts/schedule.js";
import { Schedules } from "../../src/agent/scripts/schedules.js";
import type { Script } from "../../src/agent/scripts/script-run.js";
import { WorkspaceAgentScriptSchema } from "../../src/gen/coder/agent/v2/agent_pb.js";

beforeEach(() => {
  vi.useFakeTimers({ now: new Date(2026, 0, 1, 12, 0, 30) });
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.useRealTimers();
});

const script = (id: number, cron: string, text = "true"): Script =>
  create(WorkspaceAgentScriptSchema, { id: new Uint8Array(16).fill(id), cron, script: text });

function kept(run: (script: Script) => Promise<unknown> = async () => {}) {
  const abort = new AbortController();
  const ran: string[] = [];
  const warnings: string[] = [];
  const schedules = new Schedules({
    signal: abort.signal,
    run: (due) => {
      ran.push(due.script);
      return run(due);
    },
    onWarning: (text) => warnings.push(text),
  });
  return { schedules, abort, ran, warnings };
}

const minutes = (count: number) => vi.advanceTimersByTimeAsync(count * 60_000);

describe("the schedules of a manifest", () => {
  it("are those of the latest one: new times, new scripts, and none of those that are gone (C4.29)", async () => {
    const { schedules, abort, ran } = kept();
    schedules.take([script(1, "* * * * *", "one"), script(2, "* * * * *", "two"), script(3, "", "none")]);
    await minutes(1);
    expect(ran.splice(0)).toEqual(["one", "two"]);
    schedules.take([script(1, "* * * * *", "one, changed"), script(4, "*/2 * * * *", "four")]);
    await minutes(2);
    expect(ran.splice(0).sort()).toEqual(["four", "one, changed", "one, changed"]);
    schedules.take([]);
    await minutes(5);
    expect(ran).toEqual([]);
    abort.abort();
    await schedules.ended();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("let a script that runs end before it runs again, whatever manifest comes", async () => {
    let running = 0;
    let most = 0;
    const { schedules, abort, ran } = kept(async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 150_000));
      running--;
    });
    schedules.take([script(1, "* * * * *", "first")]);
    await minutes(1);
    schedules.take([script(1, "* * * * *", "second")]);
    await minutes(4);
    expect({ ran, most }).toEqual({ ran: ["first", "second"], most: 1 });
    abort.abort();
  });

  it("are waited for at the end, with those that a manifest has ended", async () => {
    let end: () => void = () => {};
    const { schedules, abort } = kept(
      () =>
        new Promise<void>((resolve) => {
          end = resolve;
        }),
    );
    schedules.take([script(1, "* * * * *")]);
    await minutes(1);
    schedules.take([]);
    abort.abort();
    let hasEnded = false;
    const ended = schedules.ended().then(() => {
      hasEnded = true;
    });
    await minutes(1);
    expect(hasEnded).toBe(false);
    end();
    await ended;
  });

  it("that make no sense are told once, and keep no other from its times", async () => {
    const { schedules, abort, ran, warnings } = kept();
    const manifest = [script(1, "never"), script(2, "* * * * *", "two")];
    schedules.take(manifest);
    await minutes(1);
    schedules.take(manifest);
    await minutes(1);
    expect(ran).toEqual(["two", "two"]);
    expect(warnings).toEqual([expect.stringContaining('"never" is no schedule')]);
    abort.abort();
  });
});

describe("a schedule and summer time", () => {
  /** The hours (UTC) at which something was done. */
  async function timesOf(cron: string, from: string, hours: number): Promise<string[]> {
    vi.stubEnv("TZ", "Europe/Berlin");
    vi.setSystemTime(new Date(from));
    const abort = new AbortController();
    const times: string[] = [];
    atTimesOf(cron, abort.signal, async () => times.push(new Date().toISOString().slice(11, 16))).catch(
      () => {},
    );
    await vi.advanceTimersByTimeAsync(hours * 3_600_000);
    abort.abort();
    return times;
  }

  it("runs every hour when an hour is left out, and when one comes twice", async () => {
    expect(await timesOf("0 * * * *", "2026-03-28T23:30:00Z", 4)).toEqual([
      "00:00",
      "01:00",
      "02:00",
      "03:00",
    ]);
    const autumn = await timesOf("0 * * * *", "2026-10-24T22:30:00Z", 5);
    expect(new Set(autumn).size).toBe(autumn.length);
    expect(autumn.at(-1)).toBe("03:00");
  });

  it("runs once a day on the days of the change", async () => {
    expect(await timesOf("30 2 * * *", "2026-10-24T20:00:00Z", 12)).toHaveLength(1);
    expect(await timesOf("30 2 * * *", "2026-03-28T20:00:00Z", 12)).toHaveLength(1);
  });
});
