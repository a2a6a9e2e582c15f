import { expect, it } from "vitest";
import { connectAgent, externalLogSourceId, LogLevel, LogSender } from "../../../src/client/index-node.js";
import { dialled } from "../../support/control-plane.js";
import { testPlane } from "../../support/test-plane.js";

const source = "11111111-2222-4333-8444-555555555555";

it("C3.16 all lines are in a control plane, in order, though sessions end while they are sent", async () => {
  const plane = await testPlane();
  const sender = new LogSender({ maxQueuedBytes: 3000, maxBatchBytes: 1500, flushIntervalMs: 1 });
  const outputs = Array.from({ length: 3000 }, (_, i) => `line ${i}`);
  const session = connectAgent({
    ...plane.agent.target,
    role: "logs",
    senders: [sender],
    backoff: { firstMs: 1 },
  });
  const writing = sender.source(source).send(outputs.map((output) => ({ output, level: LogLevel.DEBUG })));
  for (let round = 1; round <= 3; round++) {
    const enough = async () => (await plane.agent.logs()).length > round * 500;
    await plane.waitFor(`some lines of session ${round}`, enough);
    plane.cut();
  }
  await writing;
  await sender.whenEmpty();
  await session.close();
  expect(plane.dials().length).toBeGreaterThan(1);
  const lines = await plane.store.logs(plane.agent.id, 0, 100_000);
  expect([...new Set(lines.map(({ output }) => output))]).toEqual(outputs);
  expect(new Set(lines.map(({ logSourceId, level }) => `${logSourceId} ${level}`))).toEqual(
    new Set([`${source} debug`]),
  );
  expect([sender.pending, sender.dropped]).toEqual([0, {}]);
});

it("C3.17 what a control plane has no room for is counted", async () => {
  const plane = await testPlane();
  const sender = new LogSender({ maxBatchBytes: 100_000, flushIntervalMs: 0 });
  const { agent } = await dialled(plane.agent, { role: "logs" });
  const run = sender.run(agent, new AbortController().signal);
  await sender.send(externalLogSourceId, Array(3000).fill({ output: "x".repeat(1000) }));
  await run;
  await sender.whenEmpty();
  const stored = (await plane.agent.logs()).length;
  expect(sender.isLimitReached).toBe(true);
  expect(stored).toBeGreaterThan(900);
  expect(sender.dropped).toEqual({ limit_reached: 3000 - stored });
});
