import { describe, expect, it, onTestFinished, vi } from "vitest";
import {
  type AgentClient,
  connectAgent,
  DialError,
  LifecycleState,
  type Sender,
  type SessionOptions,
  type SessionState,
} from "../../../src/client/index-node.js";
import { sessionWith } from "../../../src/client/session/session.js";
import { eventually, token } from "../../support/control-plane.js";
import { refusingServer } from "../../support/http-servers.js";
import { testPlane } from "../../support/test-plane.js";
import { type FakeConnection, fakeConnection } from "./fake-connections.js";

/** A session whose dials a test decides; no wait is longer than a few milliseconds. */
function fakeSession(
  answers: (dials: number) => FakeConnection | Error | Promise<never>,
  options: SessionOptions = {},
) {
  const connections: FakeConnection[] = [];
  let dials = 0;
  const session = sessionWith(
    async () => {
      const answer = await answers(++dials);
      if (answer instanceof Error) throw answer;
      connections.push(answer);
      return answer;
    },
    { backoff: { firstMs: 1, maxMs: 2 }, ...options },
  );
  onTestFinished(() => session.close({ timeoutMs: 0 }).then(() => {}));
  return { session, connections, dials: () => dials };
}

/** A sender that sends what it has when the test says so. */
function fakeSender(name: string, count = 0) {
  let wake: () => void = () => {};
  const sender = {
    name,
    pending: count,
    dropped: {},
    runs: 0,
    run: async (_agent: AgentClient, signal: AbortSignal) => {
      sender.runs++;
      await new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
    },
    whenEmpty: (signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        wake = resolve;
        signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
      }),
    sendAll: () => {
      sender.pending = 0;
      wake();
    },
  };
  return sender;
}

const refusal = (status: number, validations: { field: string; detail: string }[] = []) =>
  new DialError("ws://127.0.0.1/rpc", "no", 3, { status, validations });

const kinds = (states: readonly SessionState[]) => states.map(({ kind }) => kind);

it("many senders on one session are no leak to Node", async () => {
  const warned = vi.fn();
  process.on("warning", warned);
  onTestFinished(() => void process.off("warning", warned));
  const senders = Array.from({ length: 20 }, (_value, i) => fakeSender(`sender ${i}`));
  const { session, connections } = fakeSession(() => fakeConnection(), { senders });
  await session.connected();
  connections[0]?.lose();
  await eventually(() => senders.every(({ runs }) => runs === 2), "all senders on the next connection");
  // warnings come a tick later
  await new Promise((resolve) => setImmediate(resolve));
  expect(warned).not.toHaveBeenCalled();
});

it("C4.89 the wait that is told of while it closes is the one that there is", async () => {
  const sender = fakeSender("logs", 1);
  const { session, dials } = fakeSession(() => new Error("nobody there"), {
    senders: [sender],
    backoff: { firstMs: 60_000, maxMs: 60_000, random: () => 0.99 },
  });
  const waits: number[] = [];
  const reading = (async () => {
    for await (const state of session.states()) if (state.kind === "lost") waits.push(state.retryInMs);
  })();
  await eventually(() => waits.length === 1, "the first failed dial");
  const closing = session.close({ timeoutMs: 60_000 });
  await eventually(() => dials() === 2 && waits.length === 2, "the second, at once");
  sender.sendAll();
  await closing;
  await reading;
  expect(waits).toEqual([59_400, 500]);
});

describe("a session with a control plane", () => {
  it("hands over each connection, and dials again when one breaks off", async () => {
    const plane = await testPlane();
    const names: string[] = [];
    const session = connectAgent({
      ...plane.agent.target,
      proxy: false,
      backoff: { firstMs: 1, maxMs: 5 },
      onConnected: async ({ agent }, signal) => {
        const { agentName } = await agent.getManifest({}, { signal });
        names.push(agentName);
      },
    });
    const seen: SessionState[] = [];
    const reading = (async () => {
      for await (const state of session.states()) seen.push(state);
    })();
    await plane.waitFor("the first manifest", () => names.length === 1);
    plane.cut();
    await plane.waitFor("the second manifest", () => names.length === 2);
    const end = await session.close();
    await reading;
    expect(names).toEqual(["main", "main"]);
    expect(end).toEqual({ error: undefined, unsent: [] });
    expect(kinds(seen)).toEqual(["dialling", "connected", "lost", "dialling", "connected", "stopped"]);
  });

  it("stops at once when the token has never worked, without a word of it", async () => {
    const plane = await testPlane();
    const wrong = "00000000-1111-2222-3333-444444444444";
    const session = connectAgent({ url: plane.url, token: wrong, proxy: false });
    const { error } = await session.ended;
    expect(error).toBeInstanceOf(DialError);
    expect(error).toMatchObject({ status: 401 });
    expect(JSON.stringify(session.state) + String(error?.stack)).not.toContain(wrong);
    await expect(session.connected()).rejects.toBe(error);
  });

  it("stops when the server does not have the version", async () => {
    const { url } = await refusingServer(
      400,
      JSON.stringify({
        message: "Unknown or unsupported API version",
        validations: [{ field: "version", detail: "version 2.10 is no longer supported" }],
      }),
    );
    const session = connectAgent({ url, token, proxy: false });
    expect((await session.ended).error?.message).toContain("version 2.10 is no longer supported");
  });

  it("is given no URL: an error at once", () => {
    expect(() => connectAgent({ url: "nonsense", token })).toThrow(TypeError);
  });

  it("sends what a sender has before it ends", async () => {
    const plane = await testPlane();
    const states: LifecycleState[] = [LifecycleState.STARTING, LifecycleState.READY];
    const sender: Sender & { wake?: () => void } = {
      name: "lifecycle",
      get pending() {
        return states.length;
      },
      dropped: {},
      async run(agent, signal) {
        for (let state = states[0]; state !== undefined; state = states[0]) {
          await agent.updateLifecycle({ lifecycle: { state } }, { signal });
          states.shift();
        }
        sender.wake?.();
      },
      whenEmpty: () =>
        new Promise((resolve) => {
          sender.wake = resolve;
        }),
    };
    const session = connectAgent({ ...plane.agent.target, proxy: false, senders: [sender] });
    await session.connected();
    expect(await session.close()).toEqual({ error: undefined, unsent: [] });
    expect(plane.agent.lifecycles()).toEqual(["starting", "ready"]);
  });
});

describe("an end of file", () => {
  it("causes a redial, however clean it is", async () => {
    const { session, connections, dials } = fakeSession(() => fakeConnection());
    await session.connected();
    connections[0]?.lose("end of file");
    await eventually(() => dials() === 2, "the second dial");
    await eventually(() => session.state.kind === "connected", "the second connection");
  });

  it("while closing is no error and causes no redial", async () => {
    const sender = fakeSender("logs", 3);
    const { session, connections, dials } = fakeSession(() => fakeConnection(), { senders: [sender] });
    await session.connected();
    const closing = session.close({ timeoutMs: 60_000 });
    connections[0]?.lose();
    expect(await closing).toEqual({ error: undefined, unsent: [{ sender: "logs", count: 3 }] });
    expect(dials()).toBe(1);
  });

  it("before closing is mended once more where something is left to send", async () => {
    const sender = fakeSender("logs", 1);
    const { session, connections, dials } = fakeSession(() => fakeConnection(), {
      senders: [sender],
      // without the end it would dial in some minutes
      backoff: { firstMs: 600_000, maxMs: 600_000, random: () => 0.9 },
    });
    await session.connected();
    connections[0]?.lose();
    await eventually(() => session.state.kind === "lost", "the loss");
    const closing = session.close({ timeoutMs: 60_000 });
    await eventually(() => dials() === 2 && sender.runs === 2, "the second connection");
    sender.sendAll();
    expect(await closing).toEqual({ error: undefined, unsent: [] });
  });
});

describe("what ends a session for good", () => {
  it("is 401 after the grace, for a token that has worked", async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { session, connections, dials } = fakeSession(
      (dial) => (dial === 1 ? fakeConnection() : refusal(401)),
      { unauthorizedGraceMs: 10_000, backoff: { firstMs: 1000, maxMs: 1000, random: () => 0.999 } },
    );
    await vi.advanceTimersByTimeAsync(0);
    connections[0]?.lose();
    await vi.advanceTimersByTimeAsync(9_000);
    expect(session.state.kind).not.toBe("stopped");
    await vi.advanceTimersByTimeAsync(3_000);
    expect(session.state).toMatchObject({ kind: "stopped", error: { status: 401 } });
    expect(dials()).toBeGreaterThan(9);
  });

  it("is not 401 that passes within the grace", async () => {
    const { session } = fakeSession((dial) => (dial < 5 ? refusal(401) : fakeConnection()), {
      unauthorizedGraceMs: 60_000,
    });
    await session.connected();
  });

  it.each([400, 403, 404])("is %i as long as nothing has ever been there", async (status) => {
    const { session } = fakeSession(() => refusal(status));
    expect((await session.ended).error).toMatchObject({ status });
  });

  it.each([403, 404, 500, 502])("is not %i of a server that has been there", async (status) => {
    const { session, connections, dials } = fakeSession((dial) =>
      dial === 1 || dial > 3 ? fakeConnection() : refusal(status),
    );
    await session.connected();
    connections[0]?.lose();
    await eventually(() => dials() === 4 && session.state.kind === "connected", "the next connection");
  });

  it("is a version that the server no longer has, even after connections", async () => {
    const gone = refusal(400, [{ field: "version", detail: "no longer supported" }]);
    const { session, connections } = fakeSession((dial) => (dial === 1 ? fakeConnection() : gone));
    await session.connected();
    connections[0]?.lose();
    expect((await session.ended).error).toBe(gone);
  });

  it("is the end of its signal, without sending what is left", async () => {
    const abort = new AbortController();
    const sender = fakeSender("logs", 2);
    const { session } = fakeSession(() => fakeConnection(), { signal: abort.signal, senders: [sender] });
    await session.connected();
    abort.abort(new Error("enough"));
    expect(await session.ended).toEqual({
      error: expect.objectContaining({ message: "enough" }),
      unsent: [{ sender: "logs", count: 2 }],
    });
  });
});

describe("a connection is given up", () => {
  it("when what is done with it fails", async () => {
    const seen: string[] = [];
    const { session, dials } = fakeSession(() => fakeConnection(), {
      onConnected: () => {
        if (dials() === 1) throw new Error("no manifest");
      },
    });
    for await (const state of session.states()) {
      if (state.kind === "lost") seen.push(state.error.message);
      if (state.kind === "connected" && dials() === 2) break;
    }
    expect(seen).toEqual(["no manifest"]);
  });

  it("when a sender fails, which is named", async () => {
    const sender = { ...fakeSender("metadata"), run: () => Promise.reject(new Error("refused")) };
    const { session } = fakeSession(() => fakeConnection(), { senders: [sender] });
    for await (const state of session.states()) {
      if (state.kind !== "lost") continue;
      expect(state.error.message).toBe('sender "metadata": refused');
      break;
    }
  });

  it("when somebody asks for another", async () => {
    const { session, connections } = fakeSession(() => fakeConnection());
    await session.connected();
    session.reconnect("reinitialised");
    await eventually(() => connections.length === 2, "the second connection");
    expect(connections[0]?.closes).toHaveLength(1);
  });
});

describe("closing", () => {
  it("ends what is done with the connection, then sends the rest, then closes the connection", async () => {
    const order: string[] = [];
    const sender = fakeSender("logs");
    const { session, connections } = fakeSession(() => fakeConnection(), {
      senders: [sender],
      onConnected: async (_connection, signal) => {
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        sender.pending = 1;
        order.push("work ended");
      },
    });
    await session.connected();
    const closing = session.close();
    await eventually(() => order.length === 1, "the end of the work");
    expect(connections[0]?.closes).toEqual([]);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(session.state.kind).toBe("connected");
    sender.sendAll();
    expect((await closing).unsent).toEqual([]);
    expect(connections[0]?.closes).toHaveLength(1);
  });

  it("tells what could not be sent in time", async () => {
    const logs = fakeSender("logs", 7);
    const { session } = fakeSession(() => fakeConnection(), { senders: [logs, fakeSender("stats")] });
    await session.connected();
    expect(await session.close({ timeoutMs: 20 })).toEqual({
      error: undefined,
      unsent: [{ sender: "logs", count: 7 }],
    });
  });

  it("does not wait for a sender that this connection has no use for", async () => {
    const sender = { ...fakeSender("context", 4), run: async () => {} };
    const { session } = fakeSession(() => fakeConnection(), { senders: [sender] });
    await session.connected();
    const end = await session.close({ timeoutMs: 600_000 });
    expect(end.unsent).toEqual([{ sender: "context", count: 4 }]);
  });

  it("does not wait for ever for work that does not end", async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { session } = fakeSession(() => fakeConnection(), { onConnected: () => new Promise(() => {}) });
    await vi.advanceTimersByTimeAsync(0);
    const closing = session.close({ timeoutMs: 1000 });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await closing).toEqual({ error: undefined, unsent: [] });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("during a dial ends the dial", async () => {
    const session = sessionWith(
      (signal) =>
        new Promise<never>((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        }),
      {},
    );
    expect(await session.close()).toEqual({ error: undefined, unsent: [] });
  });

  it("twice is closing once", async () => {
    const { session, connections } = fakeSession(() => fakeConnection());
    await session.connected();
    expect(session.close()).toBe(session.close());
    await session.close();
    expect(connections[0]?.closes).toHaveLength(1);
  });
});

describe("states", () => {
  it("begin with the present one for each reader, and end with a signal", async () => {
    const { session } = fakeSession(() => fakeConnection());
    await session.connected();
    const abort = new AbortController();
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { kind } of session.states(abort.signal)) seen.push(kind);
    })();
    await eventually(() => seen.length === 1, "the first state");
    abort.abort();
    await reading;
    expect(seen).toEqual(["connected"]);
  });

  it("of the distant past are left out for a reader that is far behind", async () => {
    const { session, connections } = fakeSession(() => fakeConnection());
    const reader = session.states();
    await reader.next();
    for (let i = 0; i < 100; i++) {
      await eventually(() => connections.length === i + 1 && session.state.kind === "connected", "next");
      connections[i]?.lose();
      await eventually(() => connections.length === i + 2, "next");
    }
    await session.close();
    const seen: string[] = [];
    for await (const { kind } of reader) seen.push(kind);
    expect(seen).toHaveLength(64);
    expect(seen.at(-1)).toBe("stopped");
  });
});
