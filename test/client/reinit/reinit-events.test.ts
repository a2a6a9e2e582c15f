import type { ServerResponse } from "node:http";
import { describe, expect, it, vi } from "vitest";
import {
  type ReinitError,
  type ReinitEvent,
  type ReinitOptions,
  reinitEvents,
  reinitsFor,
  retryCurve,
} from "../../../src/client/index-node.js";
import { eventually, token } from "../../support/control-plane.js";
import { httpServer } from "../../support/http-servers.js";

const workspaceId = "d48dab18-46fd-49d8-a330-7251f4b13e70";
const ownerId = "a5f201d5-c5f4-4c8c-8e98-1fad545ecee4";
const claimed = (owner?: string) =>
  `event: data\ndata: ${JSON.stringify({ workspace_id: workspaceId, reason: "prebuild_claimed", ...(owner && { owner_id: owner }) })}\n\n`;

type Step = (response: ServerResponse) => void;
const streams =
  (text: string, isOpen = false): Step =>
  (response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    if (isOpen) response.write(text);
    else response.end(text);
  };
const refuses =
  (status: number, message = "no"): Step =>
  (response) =>
    void response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify({ message }));

/** A server that answers each request as the next step says, and 409 after the last. */
async function stepping(steps: readonly Step[]) {
  const lines: string[] = [];
  const tokens: unknown[] = [];
  let open = 0;
  const { url } = await httpServer((request, response) => {
    open++;
    response.on("close", () => open--);
    tokens.push(request.headers["coder-session-token"]);
    const step = steps[lines.push(`${request.method} ${request.url}`) - 1];
    (step ?? refuses(409, "over"))(response);
  });
  return { url, lines, tokens, open: () => open };
}

/** A curve without waits that keeps what is asked of it. */
function recordedCurve() {
  const calls: string[] = [];
  const retry = {
    next: () => calls.push("next") && 0,
    reset: () => void calls.push("reset"),
  };
  return { retry, calls };
}

/** Everything that comes until the end. */
async function all(options: Partial<ReinitOptions> & { url: string }) {
  const events: ReinitEvent[] = [];
  const errors: ReinitError[] = [];
  const refusals: ReinitError[] = [];
  const { retry, calls } = recordedCurve();
  const all = reinitEvents({
    token,
    retry,
    onError: (error) => errors.push(error),
    onRefused: (error) => refusals.push(error),
    ...options,
  });
  for await (const event of all) events.push(event);
  return { events, errors, refusals, calls };
}

describe("C1.60–C1.64 listening for reinitialisations", () => {
  it("asks once for each event, leaves the connection after it, and asks again without a wait", async () => {
    const two = "5e551011-0000-4000-8000-000000000002";
    const server = await stepping([
      streams(claimed(ownerId) + claimed(two), true),
      streams(`event: ping\n\n${claimed()}`, true),
    ]);
    const { events, errors, refusals, calls } = await all({ url: server.url });
    expect(events).toEqual([
      { workspaceId, reason: "prebuild_claimed", ownerId },
      { workspaceId, reason: "prebuild_claimed" },
    ]);
    expect(errors).toEqual([]);
    expect(refusals.map(({ status }) => status)).toEqual([409]);
    expect(server.lines).toEqual(Array(3).fill("GET /api/v2/workspaceagents/me/reinit?wait=true"));
    expect(server.tokens).toEqual(Array(3).fill(token));
    expect(calls).toEqual(["next", "reset", "next", "reset", "next"]);
    await eventually(() => server.open() === 0, "the end of all answers");
  });

  it("tells of failures, and asks again; the curve is not reset by them", async () => {
    const server = await stepping([
      refuses(401, "who are you"),
      streams(""),
      streams(": comment\n"),
      streams("event: error\ndata: {}\n\n"),
      streams("event: what\n"),
      (response) => response.destroy(),
      streams("event: data\ndata: {\n\n"),
      streams('event: data\ndata: {"workspace_id":"x","reason":"r"}\n\n'),
      streams(claimed(ownerId)),
    ]);
    const { events, errors, calls } = await all({ url: server.url });
    expect(events).toHaveLength(1);
    const prefix = "listening for reinitialization events: ";
    expect(errors.map(({ message }) => message.replace(prefix, ""))).toEqual([
      `GET ${server.url}/api/v2/workspaceagents/me/reinit: status 401: who are you`,
      "failed to read server-sent event: reading next string: EOF",
      "expecting event prefix, got: : comment",
      "unexpected server sent event type error",
      "unknown event type: what",
      `GET ${server.url}/api/v2/workspaceagents/me/reinit: other side closed`,
      "the event's data are not JSON",
      "the event's workspace_id, reason or owner_id is not as it must be",
    ]);
    for (const { message } of errors) expect(message).toMatch(/^listening for reinitialization events: /);
    expect(errors.map(({ status }) => status)).toEqual([401, ...Array(7).fill(undefined)]);
    expect(calls).toEqual([...Array(9).fill("next"), "reset", "next"]);
  });

  it("tells that an answer broke off", async () => {
    const server = await stepping([
      (response) => {
        response.writeHead(200, { "Content-Length": "100" });
        response.write("event: ping\n", () => response.destroy());
      },
    ]);
    const { errors } = await all({ url: server.url });
    expect(errors[0]?.message).toMatch(
      /^listening for reinitialization events: failed to read server-sent event: reading next string: /,
    );
  });

  it("ends for good with 409, and says why", async () => {
    const server = await stepping([
      refuses(409, "Workspace is not a prebuilt workspace waiting to be claimed."),
    ]);
    const { events, errors, refusals } = await all({ url: server.url });
    expect([events, errors]).toEqual([[], []]);
    expect(refusals[0]?.cause).toMatchObject({
      status: 409,
      reason: "Workspace is not a prebuilt workspace waiting to be claimed.",
    });
    expect(server.lines).toHaveLength(1);
  });

  it("ends with its signal: before it begins, while it waits for an answer, an event, or the next attempt", async () => {
    const silent = await stepping([() => {}]);
    const pinging = await stepping([streams("event: ping\n\n", true)]);
    const failing = await stepping(Array(5).fill(refuses(500)));
    const gone = await all({ url: silent.url, signal: AbortSignal.abort() });
    expect([gone.events, gone.errors, silent.lines]).toEqual([[], [], []]);
    for (const server of [silent, pinging, failing]) {
      const abort = new AbortController();
      const ended = all({
        url: server.url,
        signal: abort.signal,
        ...(server === failing
          ? { retry: { next: () => (failing.lines.length === 0 ? 0 : 60_000), reset() {} } }
          : {}),
      });
      await eventually(() => server.lines.length === 1, "the request");
      if (server === failing) await new Promise((resolve) => setTimeout(resolve, 20));
      abort.abort();
      const { events, errors } = await ended;
      expect(events).toEqual([]);
      expect(errors.map(({ status }) => status)).toEqual(server === failing ? [500] : []);
      await eventually(() => server.open() === 0, "the end of the answer");
    }
  });

  it("does not ask again once the signal has ended while an event was handled", async () => {
    const server = await stepping([streams(claimed())]);
    const abort = new AbortController();
    for await (const _event of reinitEvents({ url: server.url, token, signal: abort.signal })) abort.abort();
    expect(server.lines).toHaveLength(1);
  });

  it("gives up a request in which nothing comes for 90 seconds, pings included", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const errors: string[] = [];
      const answers: ((answer: Response) => void)[] = [];
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
      const writer = writable.getWriter();
      const abort = new AbortController();
      const events = reinitEvents({
        url: "http://control.plane",
        token,
        signal: abort.signal,
        retry: recordedCurve().retry,
        onError: ({ message }) => errors.push(message),
        fetch: (_input, init) =>
          new Promise((resolve, reject) => {
            init?.signal?.addEventListener("abort", () => {
              reject(init.signal?.reason);
              // as the runtime's own does with the body of its answer
              if (answers.length > 1) void writer.abort(init.signal?.reason);
            });
            answers.push(resolve);
          }),
      });
      const next = events.next();
      await vi.advanceTimersByTimeAsync(89_999);
      expect([answers.length, errors.length]).toEqual([1, 0]);
      await vi.advanceTimersByTimeAsync(1);
      expect(errors).toEqual([expect.stringContaining("me/reinit: no answer within 90000 ms")]);
      expect(answers).toHaveLength(2);
      await vi.advanceTimersByTimeAsync(60_000);
      answers[1]?.(new Response(readable));
      for (let pings = 0; pings < 5; pings++) {
        writer.write(Buffer.from("event: ping\n\n")).catch(() => {});
        await vi.advanceTimersByTimeAsync(89_999);
      }
      expect(errors).toHaveLength(1);
      writer.write(Buffer.from(claimed(ownerId))).catch(() => {});
      expect(await next).toMatchObject({ value: { ownerId } });
      expect(vi.getTimerCount()).toBe(0);
      abort.abort();
      expect(await events.next()).toMatchObject({ done: true });
    } finally {
      vi.useRealTimers();
    }
  });

  it("gives up an answer in which nothing more comes", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const abort = new AbortController();
      const errors: string[] = [];
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
      const writer = writable.getWriter();
      let requests = 0;
      const events = reinitEvents({
        url: "http://control.plane",
        token,
        signal: abort.signal,
        silenceTimeoutMs: 1000,
        onError: ({ message }) => {
          errors.push(message);
          abort.abort();
        },
        fetch: async (_input, init) => {
          requests++;
          // as the runtime's own does with the body of its answer
          init?.signal?.addEventListener("abort", () => void writer.abort(init.signal?.reason));
          return new Response(readable);
        },
      });
      const next = events.next();
      void writer.write(Buffer.from("event: ping\n\n"));
      await vi.advanceTimersByTimeAsync(1000);
      expect(await next).toEqual({ done: true, value: undefined });
      expect(errors).toEqual([
        "listening for reinitialization events: failed to read server-sent event: reading next string: no answer within 1000 ms",
      ]);
      expect(requests).toBe(1);
    } finally {
      vi.useRealTimers();
    }
  });

  it("bounds what it keeps of a line", async () => {
    const server = await stepping([streams("x".repeat(200), true)]);
    const { errors } = await all({ url: server.url, maxLineBytes: 100 });
    expect(errors[0]?.message).toContain("a line of the events is longer than 100 bytes");
  });

  it("takes the token of any source, for each request (C1.69)", async () => {
    const server = await stepping([streams(claimed())]);
    let asked = 0;
    await all({ url: server.url, token: () => `token ${++asked}` });
    expect(server.tokens).toEqual(["token 1", "token 2"]);
  });

  it("waits by the curve of C1.70 by default", async () => {
    const server = await stepping([refuses(500), refuses(500)]);
    const curve = retryCurve({ floorMs: 1, ceilingMs: 2 });
    const waits: number[] = [];
    const retry = {
      next() {
        const ms = curve.next();
        waits.push(ms);
        return ms;
      },
      reset: () => curve.reset(),
    };
    await all({ url: server.url, retry });
    expect(waits).toEqual([0, expect.closeTo(1.618, 3), 2]);
    const byDefault = await stepping([]);
    for await (const _event of reinitEvents({ url: byDefault.url, token }))
      throw new Error("no event was sent");
    expect(byDefault.lines).toHaveLength(1);
  });
});

describe("C1.68 reinitialisations that were handled already", () => {
  const event = (owner?: string): ReinitEvent => ({
    workspaceId,
    reason: "r",
    ...(owner && { ownerId: owner }),
  });
  async function* given(owners: readonly (string | undefined)[]) {
    for (const owner of owners) yield event(owner);
  }

  it.each([
    [["a", "b", "b", "c"], undefined, ["a", "b"]],
    [["a", "a"], undefined, ["a"]],
    [["a"], "a", []],
    [["a"], "A", []],
    [["b", "a"], "a", ["b", "a"]],
    [["a", undefined, undefined, "a"], undefined, ["a", undefined, undefined, "a"]],
    [[undefined, undefined], undefined, [undefined, undefined]],
  ])("of the owners %j, after %j, are handled %j", async (owners, last, handled) => {
    const seen: (string | undefined)[] = [];
    for await (const { ownerId } of reinitsFor(given(owners), last)) seen.push(ownerId);
    expect(seen).toEqual(handled);
  });

  it("end what they come from", async () => {
    let isEnded = false;
    async function* source() {
      try {
        yield event("a");
        yield event("a");
        throw new Error("not asked for");
      } finally {
        isEnded = true;
      }
    }
    for await (const _event of reinitsFor(source()));
    expect(isEnded).toBe(true);
  });
});
