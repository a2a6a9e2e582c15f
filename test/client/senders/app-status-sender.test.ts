import { Code } from "@connectrpc/connect";
import { expect, it } from "vitest";
import {
  type AppStatus,
  AppStatusSender,
  AppStatusState,
  HttpError,
} from "../../../src/client/index-node.js";
import { failure } from "../../support/echo.js";
import { agentWith, inVirtualTime, late, lost, refusal, sleep, tooLarge } from "./faulty-server.js";

const { WORKING, IDLE, COMPLETE } = AppStatusState;

async function running(
  story: (
    sender: AppStatusSender,
    sent: AppStatus[],
    setAnswer: (answer: (status: AppStatus) => unknown) => void,
  ) => Promise<void>,
  options: ConstructorParameters<typeof AppStatusSender>[0] = {},
) {
  const timers = await inVirtualTime(async () => {
    let answer: (status: AppStatus) => unknown = () => ({});
    const sent: AppStatus[] = [];
    const { agent } = agentWith({
      updateAppStatus: (status) => {
        sent.push(structuredClone(status));
        return answer(status);
      },
    });
    const sender = new AppStatusSender(options);
    const abort = new AbortController();
    const run = failure(sender.run(agent, abort.signal));
    await story(sender, sent, (next) => (answer = next));
    abort.abort();
    await run;
  });
  expect(timers).toBe(0);
}

const states = (sent: AppStatus[]) => sent.map(({ slug, state }) => [slug, state]);

it("sends a status at once, with all that it has", () =>
  running(async (sender, sent) => {
    sender.report({
      slug: "claude",
      state: WORKING,
      message: "looking around",
      uri: "https://example.com/1",
    });
    sender.report({ slug: "other", state: IDLE });
    await sleep(0);
    expect(sent).toEqual([
      { slug: "claude", state: WORKING, message: "looking around", uri: "https://example.com/1" },
      { slug: "other", state: IDLE, message: "", uri: "" },
    ]);
    expect(sender).toMatchObject({ pending: 0, dropped: {} });
  }));

it("sends nothing that is no news, and everything that is", () =>
  running(async (sender, sent) => {
    const status = { slug: "a", state: WORKING, message: "m", uri: "u" };
    const news = [
      status,
      status,
      { ...status, message: "n" },
      { ...status, uri: "v" },
      { ...status, state: IDLE },
    ];
    for (const one of [...news, status]) {
      expect(sender.report(one)).toBe(true);
      await sleep(0);
    }
    expect(sent).toEqual([status, ...news.slice(2), status]);
    expect(sender.dropped).toEqual({});
  }));

it("sends the latest of each app that waited, and nothing where that is what the server has", () =>
  inVirtualTime(async () => {
    const sender = new AppStatusSender();
    const { agent, calls } = agentWith({});
    const once = async () => {
      const abort = new AbortController();
      const run = failure(sender.run(agent, abort.signal));
      await sleep(0);
      abort.abort();
      await run;
      return states(calls.splice(0).map(({ request }) => request as AppStatus));
    };
    sender.report({ slug: "a", state: WORKING });
    sender.report({ slug: "b", state: WORKING });
    sender.report({ slug: "a", state: IDLE });
    expect(sender).toMatchObject({ pending: 2, dropped: { superseded: 1 } });
    expect(await once()).toEqual([
      ["a", IDLE],
      ["b", WORKING],
    ]);
    sender.report({ slug: "a", state: COMPLETE });
    sender.report({ slug: "a", state: IDLE });
    expect(sender).toMatchObject({ pending: 0, dropped: { superseded: 2 } });
    expect(await once()).toEqual([]);
  }));

it("sends a status again whose answer was lost, also where the same came back meanwhile", () =>
  inVirtualTime(async () => {
    const sender = new AppStatusSender();
    sender.report({ slug: "a", state: IDLE });
    const first = agentWith({
      updateAppStatus: ({ state }: AppStatus) => {
        if (state === WORKING) throw lost();
      },
    });
    const run = failure(sender.run(first.agent, new AbortController().signal));
    await sleep(0);
    sender.report({ slug: "a", state: WORKING });
    expect((await run).message).toContain("was lost");
    // nobody knows whether the server has `working`: so `idle` is news
    sender.report({ slug: "a", state: IDLE });
    expect(sender.pending).toBe(1);
    const { agent, calls } = agentWith({});
    const abort = new AbortController();
    const next = failure(sender.run(agent, abort.signal));
    await sleep(0);
    expect(states(calls.map(({ request }) => request as AppStatus))).toEqual([["a", IDLE]]);
    abort.abort();
    await next;
  }));

it.each<[string, Error]>([
  ["the server refuses", refusal("unexpected status code 400: Failed to get workspace app.")],
  ["the server refuses over HTTP", new HttpError("PATCH status", "No app", Code.NotFound, { status: 404 })],
  ["is over the connection's own limit", tooLarge()],
])("drops a status that %s, tells of it, and goes on with the others", async (_name, error) => {
  const refused: [Error, AppStatus][] = [];
  await running(
    async (sender, sent, setAnswer) => {
      setAnswer(({ slug }) => (slug === "bad" ? Promise.reject(error) : {}));
      sender.report({ slug: "bad", state: WORKING });
      sender.report({ slug: "good", state: WORKING });
      await sleep(0);
      expect(states(sent)).toEqual([
        ["bad", WORKING],
        ["good", WORKING],
      ]);
      expect(sender).toMatchObject({ pending: 0, dropped: { refused: 1 } });
      sender.report({ slug: "bad", state: WORKING });
      await sleep(0);
      expect(sent).toHaveLength(3);
    },
    { onRefused: (...told) => refused.push(told) },
  );
  const status = { slug: "bad", state: WORKING, message: "", uri: "" };
  expect(refused).toEqual([
    [error, status],
    [error, status],
  ]);
});

it("a refused status leaves the server with the one before", () =>
  running(async (sender, sent, setAnswer) => {
    sender.report({ slug: "a", state: IDLE });
    await sleep(0);
    setAnswer(() => Promise.reject(refusal("Message is too long.")));
    sender.report({ slug: "a", state: WORKING });
    await sleep(0);
    setAnswer(() => ({}));
    sender.report({ slug: "a", state: IDLE });
    await sleep(0);
    expect(states(sent)).toEqual([
      ["a", IDLE],
      ["a", WORKING],
    ]);
  }));

it.each<[string, Error]>([
  ["no answer in time", late()],
  ["a server in trouble", new HttpError("PATCH status", "Internal error", Code.Internal, { status: 500 })],
  ["a rate limit", new HttpError("PATCH status", "Too many", Code.ResourceExhausted, { status: 429 })],
])("%s: the status waits behind the others, and is sent again after a while", async (_name, error) => {
  const warnings: string[] = [];
  await running(
    async (sender, sent, setAnswer) => {
      setAnswer(({ slug }) => (slug === "slow" ? Promise.reject(error) : {}));
      sender.report({ slug: "slow", state: WORKING });
      sender.report({ slug: "fast", state: WORKING });
      await sleep(999);
      expect(states(sent)).toEqual([["slow", WORKING]]);
      await sleep(1);
      expect(states(sent.slice(1))).toEqual([
        ["fast", WORKING],
        ["slow", WORKING],
      ]);
      setAnswer(() => ({}));
      await sleep(1000);
      expect(sent).toHaveLength(4);
      expect(sender).toMatchObject({ pending: 0, dropped: {} });
    },
    { onWarning: (text) => warnings.push(text) },
  );
  expect(warnings).toHaveLength(2);
});

it("lets the statuses of so many apps wait and no more, counted", () => {
  const sender = new AppStatusSender({ maxSlugs: 2 });
  const report = (slug: string) => sender.report({ slug, state: WORKING });
  expect([report("a"), report("b"), report("c"), report("a")]).toEqual([true, true, false, true]);
  expect(sender).toMatchObject({ pending: 2, dropped: { too_many_slugs: 1 } });
});

it("knows what was reported of so many apps and no more", () =>
  running(
    async (sender, sent) => {
      for (const slug of ["a", "b", "c", "c", "b", "a"]) {
        sender.report({ slug, state: WORKING });
        await sleep(0);
      }
      expect(states(sent).map(([slug]) => slug)).toEqual(["a", "b", "c", "a"]);
    },
    { maxSlugs: 2 },
  ));

it("refuses what cannot be sent, at once", () => {
  const sender = new AppStatusSender();
  expect(() => sender.report({ slug: "a", state: 7 as never })).toThrow(TypeError);
  expect(() => sender.report({ slug: undefined as never, state: IDLE })).toThrow(TypeError);
  expect(() => sender.report({ slug: "a", state: IDLE, message: "x".repeat(100_000) })).toThrow(
    "the message of an app's status has 100000 bytes or more, over the limit of 65536 bytes",
  );
  expect(sender).toMatchObject({ pending: 0, dropped: {} });
});
