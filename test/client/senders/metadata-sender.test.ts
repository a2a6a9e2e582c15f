import { expect, it } from "vitest";
import { MetadataSender, type MetadataValue } from "../../../src/client/index-node.js";
import { failure } from "../../support/echo.js";
import { agentWith, inVirtualTime, late, lost, sleep, tooLarge } from "./faulty-server.js";

interface Request {
  metadata: { key: string; result: { value: string; error: string; collectedAt: unknown } }[];
}

const values = ({ metadata }: Request) =>
  Object.fromEntries(metadata.map(({ key, result }) => [key, result.value]));

/** A sender that runs in virtual time; what it sends. */
function running(
  story: (
    sender: MetadataSender,
    sent: Request[],
    setAnswer: (answer: () => unknown) => void,
  ) => Promise<void>,
  options: ConstructorParameters<typeof MetadataSender>[0] = {},
) {
  return inVirtualTime(async () => {
    let answer: () => unknown = () => ({});
    const sent: Request[] = [];
    const { agent } = agentWith({
      batchUpdateMetadata: (request) => {
        sent.push(structuredClone(request));
        return answer();
      },
    });
    const sender = new MetadataSender(options);
    const abort = new AbortController();
    const run = failure(sender.run(agent, abort.signal));
    await story(sender, sent, (next) => {
      answer = next;
    });
    abort.abort();
    await run;
  }).then((timers) => expect(timers).toBe(0));
}

it("C4.42: all changed keys of a second go in one report, the latest value of each", () =>
  running(async (sender, sent) => {
    sender.set("a", { value: "1" });
    await sleep(400);
    sender.set("b", { value: "2" });
    sender.set("a", { value: "3" });
    await sleep(599);
    expect(sent).toEqual([]);
    await sleep(1);
    expect(sent.map(values)).toEqual([{ a: "3", b: "2" }]);
    expect(sender).toMatchObject({ pending: 0, dropped: { superseded: 1 } });
    await sleep(10_000);
    expect(sent).toHaveLength(1);
    sender.set("b", { value: "4" });
    await sleep(1000);
    expect(sent.slice(1).map(values)).toEqual([{ b: "4" }]);
  }));

it("C4.42: one report is in flight; what comes meanwhile goes with the next", () =>
  running(async (sender, sent, setAnswer) => {
    let answerIt = () => {};
    setAnswer(() => new Promise<void>((resolve) => (answerIt = resolve)));
    sender.set("a", { value: "1" });
    await sleep(1000);
    sender.set("a", { value: "2" });
    await sleep(5000);
    expect(sent).toHaveLength(1);
    expect(sender.pending).toBe(1);
    setAnswer(() => ({}));
    answerIt();
    await sleep(1000);
    expect(sent.map(values)).toEqual([{ a: "1" }, { a: "2" }]);
    expect(sender).toMatchObject({ pending: 0, dropped: {} });
  }));

it("C10.7: values of a report that failed go again on the next connection, if there are no newer ones", () =>
  inVirtualTime(async () => {
    const sender = new MetadataSender();
    const error = late();
    const first = agentWith({
      batchUpdateMetadata: () => {
        sender.set("a", { value: "newer" });
        throw error;
      },
    });
    sender.set("a", { value: "1" });
    sender.set("b", { value: "2" });
    const run = failure(sender.run(first.agent, new AbortController().signal));
    await sleep(1000);
    expect(await run).toBe(error);
    const { agent, calls } = agentWith({});
    const abort = new AbortController();
    const next = failure(sender.run(agent, abort.signal));
    await sleep(1000);
    expect(calls.map(({ request }) => values(request as Request))).toEqual([{ a: "newer", b: "2" }]);
    expect(sender).toMatchObject({ pending: 0, dropped: { superseded: 1 } });
    abort.abort();
    await next;
  }));

it.each<[string, MetadataValue, { value: string; error: string }]>([
  ["as it is", { value: "x", error: "exit status 1" }, { value: "x", error: "exit status 1" }],
  ["that is just short enough", { value: "x".repeat(10_240) }, { value: "x".repeat(10_240), error: "" }],
  [
    "that is too long",
    { value: "x".repeat(10_241) },
    { value: "x".repeat(10_240), error: "output truncated from 10241 to 10240 bytes" },
  ],
  [
    "that is too long and has an error",
    { value: "y".repeat(20_000), error: "run cmd: exit status 2" },
    {
      value: "y".repeat(10_240),
      error: "run cmd: exit status 2\noutput truncated from 20000 to 10240 bytes",
    },
  ],
  [
    "whose limit is within a character",
    { value: `${"x".repeat(10_239)}é` },
    { value: "x".repeat(10_239), error: "output truncated from 10241 to 10240 bytes" },
  ],
  ["with NULs, which no database holds", { value: "a\0b", error: "\0" }, { value: "ab", error: "" }],
])("C4.40: sends a value %s", (_name, value, expected) =>
  running(async (sender, sent) => {
    sender.set("key", { ...value, collectedAt: new Date(7000) });
    await sleep(1000);
    expect(sent[0]?.metadata[0]?.result).toMatchObject({ ...expected, collectedAt: { seconds: 7n } });
  }),
);

it("drops keys beyond the bound, counted, and takes them again when there is room", () =>
  running(
    async (sender, sent) => {
      expect(["a", "b", "c"].map((key) => sender.set(key, { value: key }))).toEqual([true, true, false]);
      expect(sender.set("a", { value: "2" })).toBe(true);
      expect(sender.dropped).toEqual({ too_many_keys: 1, superseded: 1 });
      await sleep(1000);
      expect(sender.set("c", { value: "3" })).toBe(true);
      await sleep(1000);
      expect(sent.map(values)).toEqual([{ a: "2", b: "b" }, { c: "3" }]);
    },
    { maxKeys: 2 },
  ));

it("makes requests that servers take: 6,144 bytes of keys, and 1 MiB", () =>
  running(async (sender, sent) => {
    for (const letter of "abc") sender.set(letter.repeat(3000), { value: letter });
    await sleep(2000);
    expect(sent.map(({ metadata }) => metadata.length)).toEqual([2, 1]);
    for (let i = 0; i < 150; i++) sender.set(`k${i}`, { value: "x".repeat(20_000) });
    await sleep(2000);
    expect(sent.slice(2).map(({ metadata }) => metadata.length)).toEqual([101, 49]);
  }));

it("keys that change with every report do not keep others waiting", () =>
  running(async (sender, sent, setAnswer) => {
    const set = (letters: string) => {
      for (const letter of letters) sender.set(letter.repeat(3000), { value: letter });
    };
    setAnswer(() => set("ab"));
    set("abc");
    await sleep(2000);
    const letters = sent.map(({ metadata }) => metadata.map(({ result }) => result.value).join(""));
    expect(letters).toEqual(["ab", "ca"]);
  }));

it("drops what is over the connection's own limit, and goes on", () =>
  running(async (sender, sent, setAnswer) => {
    setAnswer(() => Promise.reject(tooLarge()));
    sender.set("a", { value: "1" });
    await sleep(1000);
    expect(sender).toMatchObject({ pending: 0, dropped: { too_large: 1 } });
    setAnswer(() => ({}));
    sender.set("a", { value: "2" });
    await sleep(1000);
    expect(sent).toHaveLength(2);
  }));

it("refuses what cannot be sent, at once", () => {
  const sender = new MetadataSender();
  expect(() => sender.set("k".repeat(6145), { value: "" })).toThrow(
    "a metadata key has 6145 bytes or more, over the limit of 6144 bytes",
  );
  expect(() => sender.set("k", { value: 5 as never })).toThrow(TypeError);
  expect(() => sender.set("k", { value: "", collectedAt: new Date("never") })).toThrow(TypeError);
  expect(sender).toMatchObject({ pending: 0, dropped: {} });
});

it("keeps values over a lost connection without a listener or timer left", () =>
  inVirtualTime(async () => {
    const sender = new MetadataSender();
    sender.set("a", { value: "1" });
    for (let i = 0; i < 3; i++) {
      const { agent } = agentWith({ batchUpdateMetadata: () => Promise.reject(lost()) });
      const run = failure(sender.run(agent, new AbortController().signal));
      await sleep(1000);
      expect((await run).message).toContain("was lost");
    }
    expect(sender).toMatchObject({ pending: 1, dropped: {} });
  }).then((timers) => expect(timers).toBe(0)));
