import { expect, it } from "vitest";
import {
  type ScriptTiming,
  ScriptTimingSender,
  TimingStage,
  TimingStatus,
} from "../../../src/client/index-node.js";
import { failure } from "../../support/echo.js";
import { agentWith, brokenStream, late, lost, refusal, tooLarge } from "./faulty-server.js";

const timing = (exitCode = 0): ScriptTiming => ({
  scriptId: "07070707-0707-0707-0707-070707070707",
  start: new Date(1000),
  end: new Date(2000),
  exitCode,
  stage: TimingStage.START,
  status: TimingStatus.OK,
});

type Sent = { exitCode: number };

async function run(sender: ScriptTimingSender, answer: (sent: Sent) => unknown = () => ({})) {
  const { agent, calls } = agentWith({
    scriptCompleted: (request: { timing: Sent }) => answer(request.timing),
  });
  const abort = new AbortController();
  const running = failure(sender.run(agent, abort.signal));
  await Promise.race([sender.whenEmpty(), running]);
  abort.abort(new Error("the end"));
  const error = await running;
  return { sent: calls.map(({ request }) => (request as { timing: Sent }).timing), error };
}

it("C4.68: sends timings in order, with all that they have", async () => {
  const sender = new ScriptTimingSender();
  const { stage: _, ...rest } = timing(3);
  sender.report({ ...rest, stage: TimingStage.CRON, status: TimingStatus.EXIT_FAILURE });
  const { exitCode: __, ...unknown } = timing();
  sender.report({ ...unknown, status: TimingStatus.TIMED_OUT });
  expect((await run(sender)).sent).toMatchObject([
    {
      scriptId: new Uint8Array(16).fill(7),
      start: { seconds: 1n },
      end: { seconds: 2n },
      exitCode: 3,
      stage: TimingStage.CRON,
      status: TimingStatus.EXIT_FAILURE,
    },
    { exitCode: 255, stage: TimingStage.START, status: TimingStatus.TIMED_OUT },
  ]);
});

it("an end before the start, of a clock that was set back, is the start: servers refuse the other", async () => {
  const sender = new ScriptTimingSender();
  sender.report({ ...timing(), end: new Date(500) });
  expect((await run(sender)).sent).toMatchObject([{ start: { seconds: 1n }, end: { seconds: 1n } }]);
});

it("a timing whose connection is lost is sent again on the next, before those behind it", async () => {
  const sender = new ScriptTimingSender();
  for (const code of [1, 2]) sender.report(timing(code));
  const first = await run(sender, () => Promise.reject(lost()));
  expect(first.error.message).toContain("was lost");
  expect(sender).toMatchObject({ pending: 2, dropped: {} });
  const { sent } = await run(sender);
  expect([...first.sent, ...sent].map(({ exitCode }) => exitCode)).toEqual([1, 1, 2]);
});

it("keeps a timing whose stream ends a moment before the connection", async () => {
  const sender = new ScriptTimingSender();
  sender.report(timing(1));
  const abort = new AbortController();
  const { agent } = agentWith({
    scriptCompleted: () => {
      setTimeout(() => abort.abort(new Error("the connection ends")), 1);
      throw brokenStream();
    },
  });
  expect((await failure(sender.run(agent, abort.signal))).message).toBe("the connection ends");
  expect(sender).toMatchObject({ pending: 1, dropped: {} });
});

it.each([
  ["refused", "refuses", refusal("script id is unknown")],
  ["refused", "would never get, for it is over the limit,", tooLarge()],
  ["unanswered", "does not answer in time", late()],
  ["unanswered", "does not answer at all", brokenStream()],
])("C4.68: counts as %s a timing that the server %s, and sends the next", async (reason, _what, error) => {
  const warnings: string[] = [];
  const sender = new ScriptTimingSender({ onWarning: (text) => warnings.push(text) });
  for (const code of [1, 2]) sender.report(timing(code));
  const { sent } = await run(sender, ({ exitCode }) => (exitCode === 1 ? Promise.reject(error) : {}));
  expect(sent).toHaveLength(2);
  expect(sender).toMatchObject({ pending: 0, dropped: { [reason]: 1 } });
  expect(warnings).toEqual([`script-timings: one was dropped: ${error.rawMessage}`]);
});

it("lets 1,024 timings wait; new ones are dropped, counted", () => {
  const sender = new ScriptTimingSender();
  for (let i = 0; i < 1024; i++) expect(sender.report(timing())).toBe(true);
  expect(sender.report(timing())).toBe(false);
  expect(sender).toMatchObject({ pending: 1024, dropped: { queue_full: 1 } });
});

it("refuses what cannot be sent, at once", () => {
  const sender = new ScriptTimingSender();
  const wrong: Partial<ScriptTiming>[] = [
    { scriptId: new Uint8Array(0) },
    { scriptId: "script" },
    { start: new Date(Number.NaN) },
    { end: "now" as never },
    { exitCode: 0.5 },
    { stage: 3 as TimingStage },
    { status: -1 as TimingStatus },
  ];
  for (const part of wrong) expect(() => sender.report({ ...timing(), ...part })).toThrow(TypeError);
  expect(sender).toMatchObject({ pending: 0, dropped: {} });
});
