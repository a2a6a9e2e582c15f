import { expect, it } from "vitest";
import { type StatsInit, StatsSender, type StatsSenderOptions } from "../../../src/client/index-node.js";
import { failure } from "../../support/echo.js";
import { agentWith, inVirtualTime, lost, refusal, sleep, tooLarge } from "./faulty-server.js";

interface Request {
  stats?: { rxBytes: bigint };
}

type Reply = { reportInterval?: { seconds: bigint; nanos: number } | undefined };

const seconds = (count: bigint): Reply => ({ reportInterval: { seconds: count, nanos: 0 } });

/** A sender that runs in virtual time against a server that says how often it wants reports. */
async function running(
  story: (made: {
    sender: StatsSender;
    sent: Request[];
    answer(next: () => unknown): void;
    run: Promise<Error>;
    abort: AbortController;
  }) => Promise<void>,
  options: Partial<StatsSenderOptions> = {},
) {
  let collected = 0n;
  const timers = await inVirtualTime(async () => {
    let answer: () => unknown = () => seconds(10n);
    const { agent, calls } = agentWith({ updateStats: () => answer() });
    const sent: Request[] = [];
    calls.push = (call) => sent.push(call.request as Request);
    const sender = new StatsSender({ collect: () => ({ rxBytes: ++collected }), ...options });
    const abort = new AbortController();
    const run = failure(sender.run(agent, abort.signal));
    await sleep(0);
    await story({ sender, sent, run, abort, answer: (next) => (answer = next) });
    abort.abort(new Error("the end"));
    await run;
  });
  expect(timers).toBe(0);
}

const counters = (sent: Request[]) => sent.map(({ stats }) => stats?.rxBytes);

it("C4.49: asks for the interval first, without stats, then reports after each", () =>
  running(async ({ sent }) => {
    expect(sent).toEqual([{}]);
    await sleep(9999);
    expect(sent).toHaveLength(1);
    await sleep(1);
    await sleep(10_000);
    expect(counters(sent)).toEqual([undefined, 1n, 2n]);
  }));

it("C4.53: an answer changes the interval", () =>
  running(async ({ sent, answer }) => {
    answer(() => seconds(60n));
    await sleep(10_000);
    await sleep(59_999);
    expect(sent).toHaveLength(2);
    await sleep(1);
    expect(sent).toHaveLength(3);
  }));

it.each<[string, Reply, number]>([
  ["none", {}, 300_000],
  ["zero", seconds(0n), 300_000],
  ["one below zero", seconds(-5n), 300_000],
  ["one below any floor", { reportInterval: { seconds: 0n, nanos: 1 } }, 1000],
  ["one beyond every timer", seconds(9_223_372_036_854_775_807n), 2_147_483_647],
])("takes an interval that is %s as one to wait", (_name, reply, expectedMs) =>
  running(async ({ sent, answer }) => {
    answer(() => reply);
    await sleep(10_000);
    expect(sent).toHaveLength(2);
    await sleep(expectedMs - 1);
    expect(sent).toHaveLength(2);
    await sleep(1);
    expect(sent).toHaveLength(3);
  }),
);

it("C4.53: a report that fails ends the run; its counters are lost and counted", () =>
  running(async ({ sent, sender, answer, run }) => {
    answer(() => Promise.reject(refusal("no")));
    await sleep(10_000);
    expect((await run).message).toContain("no");
    expect(sender).toMatchObject({ pending: 0, dropped: { report_failed: 1 } });
    const { agent, calls } = agentWith({ updateStats: () => seconds(10n) });
    const abort = new AbortController();
    const next = failure(sender.run(agent, abort.signal));
    await sleep(10_000);
    expect(counters(sent)).toEqual([undefined, 1n]);
    expect(counters(calls.map(({ request }) => request as Request))).toEqual([undefined, 2n]);
    abort.abort();
    await next;
  }));

it("nothing is lost where the first question fails", () =>
  inVirtualTime(async () => {
    const { agent } = agentWith({ updateStats: () => Promise.reject(lost()) });
    const sender = new StatsSender({ collect: () => ({}) });
    expect((await failure(sender.run(agent, new AbortController().signal))).message).toContain("was lost");
    expect(sender.dropped).toEqual({});
  }));

it("leaves a report out when collecting throws, says so, and goes on", async () => {
  const warnings: string[] = [];
  const ways = [
    () => Promise.reject(new Error("no counters")),
    () => {
      throw new Error("none at all");
    },
    () => ({ rxBytes: 3n }),
  ];
  await running(
    async ({ sent }) => {
      for (let i = 0; i < 3; i++) await sleep(10_000);
      expect(counters(sent)).toEqual([undefined, 3n]);
      expect(warnings).toEqual([
        "stats: they could not be collected: no counters",
        "stats: they could not be collected: none at all",
      ]);
    },
    { collect: () => (ways.shift() ?? (() => ({})))(), onWarning: (text) => warnings.push(text) },
  );
});

it("does not wait for collecting that knows of no signal; counters that come too late are counted", async () => {
  let collectedAtLast = (_: StatsInit) => {};
  await running(
    async ({ sender, abort, run }) => {
      await sleep(10_000);
      abort.abort(new Error("the connection ends"));
      expect((await run).message).toBe("the connection ends");
      expect(sender.dropped).toEqual({});
      collectedAtLast({ rxBytes: 1n });
      await sleep(0);
      expect(sender.dropped).toEqual({ report_failed: 1 });
    },
    { collect: () => new Promise((resolve) => (collectedAtLast = resolve)) },
  );
});

it("drops stats over the connection's own limit, and goes on", () =>
  running(async ({ sender, answer, sent }) => {
    answer(() => Promise.reject(tooLarge()));
    await sleep(10_000);
    expect(sender.dropped).toEqual({ too_large: 1 });
    answer(() => seconds(10n));
    await sleep(10_000);
    expect(sent).toHaveLength(3);
  }));

it("is empty once no report is under way", () =>
  running(async ({ sender, answer }) => {
    let answerIt = (_: Reply) => {};
    answer(() => new Promise<Reply>((resolve) => (answerIt = resolve)));
    await sleep(10_000);
    expect(sender.pending).toBe(1);
    const empty = sender.whenEmpty();
    answerIt(seconds(1n));
    await empty;
    expect(sender.pending).toBe(0);
  }));
