import { expect, it } from "vitest";
import { AppHealth, AppHealthSender } from "../../../src/client/index-node.js";
import { failure } from "../../support/echo.js";
import { agentWith, inVirtualTime, late, lost, refusal, sleep } from "./faulty-server.js";

interface Request {
  updates: { id: Uint8Array; health: AppHealth }[];
}

const { HEALTHY, UNHEALTHY, INITIALIZING } = AppHealth;
const app = (number: number) => new Uint8Array(16).fill(number);
const healths = ({ updates }: Request) =>
  Object.fromEntries(updates.map(({ id, health }) => [id[0], health]));

async function running(
  story: (
    sender: AppHealthSender,
    sent: Request[],
    setAnswer: (answer: () => unknown) => void,
  ) => Promise<void>,
  options: ConstructorParameters<typeof AppHealthSender>[0] = {},
) {
  const timers = await inVirtualTime(async () => {
    let answer: () => unknown = () => ({});
    const sent: Request[] = [];
    const { agent } = agentWith({
      batchUpdateAppHealths: (request) => {
        sent.push(structuredClone(request));
        return answer();
      },
    });
    const sender = new AppHealthSender(options);
    const abort = new AbortController();
    const run = failure(sender.run(agent, abort.signal));
    await story(sender, sent, (next) => (answer = next));
    abort.abort();
    await run;
  });
  expect(timers).toBe(0);
}

it("C4.47: sends the health of all apps a second after that of one has changed", () =>
  running(async (sender, sent) => {
    sender.set(app(1), INITIALIZING);
    sender.set("02020202-0202-0202-0202-020202020202", HEALTHY);
    await sleep(999);
    expect(sent).toEqual([]);
    await sleep(1);
    sender.set(app(1), HEALTHY);
    sender.set(app(2), HEALTHY);
    expect(sender.pending).toBe(1);
    await sleep(60_000);
    expect(sent.map(healths)).toEqual([
      { 1: INITIALIZING, 2: HEALTHY },
      { 1: HEALTHY, 2: HEALTHY },
    ]);
    expect(sender).toMatchObject({ pending: 0, dropped: {} });
  }));

it("a refused report is sent again: at the next change, or after a wait that doubles up to 30 s", async () => {
  const warnings: string[] = [];
  await running(
    async (sender, sent, setAnswer) => {
      setAnswer(() => Promise.reject(refusal("workspace app not found")));
      sender.set(app(1), HEALTHY);
      await sleep(1000);
      const times: number[] = [];
      for (let second = 1, known = 1; second <= 200; second++) {
        await sleep(1000);
        if (sent.length > known) times.push(second);
        known = sent.length;
      }
      const waits = times.map((time, i) => time - (times[i - 1] ?? 0));
      // the wait, and the second in which changes are gathered
      expect(waits).toEqual([2, 3, 5, 9, 17, 31, 31, 31, 31, 31]);
      const before = sent.length;
      sender.set(app(2), HEALTHY);
      await sleep(2000);
      expect(sent).toHaveLength(before + 1);
      sender.delete(app(1));
      setAnswer(() => ({}));
      sender.set(app(2), UNHEALTHY);
      await sleep(2000);
      expect(healths(sent.at(-1) as Request)).toEqual({ 2: UNHEALTHY });
      expect(sender.pending).toBe(0);
    },
    { onWarning: (text) => warnings.push(text) },
  );
  expect(new Set(warnings)).toEqual(new Set(["app-health: workspace app not found"]));
});

it("C4.19: a report without an answer does not end the run", () =>
  running(async (sender, sent, setAnswer) => {
    setAnswer(() => Promise.reject(late()));
    sender.set(app(1), HEALTHY);
    await sleep(1000);
    setAnswer(() => ({}));
    await sleep(2000);
    expect(sent).toHaveLength(2);
    expect(sender.pending).toBe(0);
  }));

it("what was not reported when a connection is lost goes with the next", () =>
  inVirtualTime(async () => {
    const sender = new AppHealthSender();
    sender.set(app(1), HEALTHY);
    const first = agentWith({ batchUpdateAppHealths: () => Promise.reject(lost()) });
    const run = failure(sender.run(first.agent, new AbortController().signal));
    await sleep(1000);
    expect((await run).message).toContain("was lost");
    sender.set(app(1), UNHEALTHY);
    const { agent, calls } = agentWith({});
    const abort = new AbortController();
    const next = failure(sender.run(agent, abort.signal));
    await sleep(1000);
    expect(calls.map(({ request }) => healths(request as Request))).toEqual([{ 1: UNHEALTHY }]);
    abort.abort();
    await next;
  }));

it("forgets apps that are gone, and sends nothing for them", () =>
  running(async (sender, sent) => {
    sender.set(app(1), HEALTHY);
    expect([sender.delete(app(1)), sender.delete(app(1))]).toEqual([true, false]);
    await sleep(5000);
    expect(sent).toEqual([]);
    expect(sender).toMatchObject({ pending: 0, dropped: { superseded: 1 } });
    sender.set(app(2), HEALTHY);
    await sleep(1000);
    expect(sent.map(healths)).toEqual([{ 2: HEALTHY }]);
  }));

it("keeps so many apps and no more, counted", () => {
  const sender = new AppHealthSender({ maxApps: 2 });
  expect([1, 2, 3].map((number) => sender.set(app(number), HEALTHY))).toEqual([true, true, false]);
  expect(sender.set(app(1), UNHEALTHY)).toBe(true);
  expect(sender).toMatchObject({ pending: 2, dropped: { too_many_apps: 1, superseded: 1 } });
});

it("refuses ids that are none and a health that is none, at once", () => {
  const sender = new AppHealthSender();
  expect(() => sender.set(new Uint8Array(15), HEALTHY)).toThrow(
    "an app's id is a UUID, as text or as 16 bytes",
  );
  expect(() => sender.set("app", HEALTHY)).toThrow(TypeError);
  expect(() => sender.delete(undefined as never)).toThrow(TypeError);
  expect(() => sender.set(app(1), 9 as AppHealth)).toThrow(TypeError);
  expect(() => sender.set(app(1), AppHealth.APP_HEALTH_UNSPECIFIED)).toThrow(TypeError);
  expect(() => sender.set(app(1), "HEALTHY" as never)).toThrow(TypeError);
  expect(sender.pending).toBe(0);
});
