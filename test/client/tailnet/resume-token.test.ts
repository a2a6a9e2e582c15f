import { create } from "@bufbuild/protobuf";
import { expect, it, onTestFinished, vi } from "vitest";
import { ResumeToken } from "../../../src/client/tailnet/resume-token.js";
import type { TailnetClient } from "../../../src/client/tailnet/shared-fate.js";
import { RefreshResumeTokenResponseSchema } from "../../../src/gen/coder/tailnet/v2/tailnet_pb.js";

it.each([
  ["at once", { nanos: 1 }, 1000],
  ["in a thousand years", { seconds: 31_557_600_000n }, 2_147_483_647],
  ["in the past", { seconds: -5n }, 30 * 60_000],
])(
  "a resume token that is to be had again %s is not asked for all the time (C9.10)",
  async (_when, refreshIn, waitMs) => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const refreshResumeToken = vi.fn(async () =>
      create(RefreshResumeTokenResponseSchema, { token: "t", refreshIn }),
    );
    const abort = new AbortController();
    const client: Partial<TailnetClient> = { refreshResumeToken };
    const over = new ResumeToken(() => {}).over(client as TailnetClient, abort.signal);
    await vi.advanceTimersByTimeAsync(waitMs - 1);
    expect(refreshResumeToken).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(refreshResumeToken).toHaveBeenCalledTimes(2);
    abort.abort();
    await over;
    expect(vi.getTimerCount()).toBe(0);
  },
);
