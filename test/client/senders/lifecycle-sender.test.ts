import { expect, it } from "vitest";
import {
  connectAgent,
  type LifecycleName,
  LifecycleSender,
  LifecycleState,
} from "../../../src/client/index-node.js";
import type { TestPlane } from "../../../src/testing/index.js";
import { failure } from "../../support/echo.js";
import { testPlane } from "../../support/test-plane.js";
import { agentWith, late } from "./faulty-server.js";

const all = [
  "starting",
  "start_timeout",
  "start_error",
  "ready",
  "shutting_down",
  "shutdown_timeout",
  "shutdown_error",
  "off",
] as const;

/** The states that arrive over a session which ends when nothing is left. */
async function sent(sender: LifecycleSender, onto?: TestPlane) {
  const plane = onto ?? (await testPlane());
  const session = connectAgent({ ...plane.agent.target, senders: [sender], backoff: { firstMs: 1 } });
  await sender.whenEmpty();
  await session.close();
  return plane.calls("UpdateLifecycle").flatMap(({ request }) => request.lifecycle ?? []);
}

it("C4.33, C4.34: sends every state but created, in order, with the time it was entered", async () => {
  const sender = new LifecycleSender();
  expect(sender.state).toBe("created");
  all.forEach((state, i) => {
    expect(sender.advance(state, new Date(1000 * i))).toBe(true);
    expect(sender.state).toBe(state);
  });
  expect(sender.pending).toBe(8);
  expect((await sent(sender)).map(({ state, changedAt }) => [state, changedAt])).toEqual(
    all.map((_, i) => [i + 2, expect.objectContaining({ seconds: BigInt(i), nanos: 0 })]),
  );
  expect(sender).toMatchObject({ pending: 0, dropped: {} });
});

it("C4.33: passes over a state that is not later, and says so", async () => {
  const warnings: string[] = [];
  const sender = new LifecycleSender({ onWarning: (text) => warnings.push(text) });
  expect(sender.advance("created")).toBe(false);
  expect(sender.advance("ready")).toBe(true);
  expect(sender.advance("ready")).toBe(false);
  expect(sender.advance("starting")).toBe(false);
  expect(sender.state).toBe("ready");
  expect(warnings).toEqual([
    "lifecycle: the agent is created, so created is passed over",
    "lifecycle: the agent is ready, so ready is passed over",
    "lifecycle: the agent is ready, so starting is passed over",
  ]);
  expect((await sent(sender)).map(({ state }) => state)).toEqual([5]);
});

it("C4.35: a state whose report failed is sent again at once on the next connection, those before it are not", async () => {
  const plane = await testPlane();
  const sender = new LifecycleSender();
  plane.answer("UpdateLifecycle", async ({ lifecycle }, { handle }) => {
    if (lifecycle?.state === LifecycleState.READY && plane.dials().length === 1) plane.cut();
    return handle();
  });
  sender.advance("starting");
  sender.advance("ready");
  const { STARTING, READY } = LifecycleState;
  expect((await sent(sender, plane)).map(({ state }) => state)).toEqual([STARTING, READY, READY]);
  expect(plane.dials()).toHaveLength(2);
});

it("gives the connection up for a report without an answer", async () => {
  const sender = new LifecycleSender();
  sender.advance("starting");
  const { agent } = agentWith({ updateLifecycle: () => Promise.reject(late()) });
  expect((await failure(sender.run(agent, new AbortController().signal))).message).toContain("deadline");
  expect(sender.pending).toBe(1);
});

it("times do not go back when the clock does", async () => {
  const sender = new LifecycleSender();
  const time = new Date(5000);
  sender.advance("starting", time);
  time.setTime(0);
  sender.advance("ready", new Date(2000));
  sender.advance("off", new Date(6000));
  const times = (await sent(sender)).map(({ changedAt }) => changedAt);
  expect(times).toMatchObject([{ seconds: 5n }, { seconds: 5n }, { seconds: 6n }]);
});

it("refuses what is no state and what is no time, and stays where it was", () => {
  const sender = new LifecycleSender();
  expect(() => sender.advance("asleep" as LifecycleName)).toThrow(
    "a lifecycle state is one of created, starting, start_timeout, start_error, ready, shutting_down, shutdown_timeout, shutdown_error, off, and not asleep",
  );
  expect(() => sender.advance("ready", new Date(Number.NaN))).toThrow(TypeError);
  expect(sender).toMatchObject({ state: "created", pending: 0 });
});
