import { expect, it } from "vitest";
import { ResourcesSender, type ResourcesSenderOptions } from "../../../src/client/index-node.js";
import { failure } from "../../support/echo.js";
import { agentWith, inVirtualTime, late, lost, refusal, sleep, unimplemented } from "./faulty-server.js";

interface Window {
  datapoints: { memory?: { used: bigint }; volumes?: unknown[]; collectedAt: unknown }[];
}

const answer = {
  config: { numDatapoints: 3, collectionIntervalSeconds: 10 },
  memory: { enabled: true },
  volumes: [
    { enabled: true, path: "/" },
    { enabled: false, path: "/tmp" },
  ],
};

async function running(
  story: (made: {
    windows: Window[];
    warnings: string[];
    run: Promise<Error | undefined>;
    sender: ResourcesSender;
    onPush(next: () => unknown): void;
  }) => Promise<void>,
  options: Partial<ResourcesSenderOptions> = {},
  configuration: unknown = answer,
) {
  let samples = 0n;
  const timers = await inVirtualTime(async () => {
    let push: () => unknown = () => ({});
    const windows: Window[] = [];
    const warnings: string[] = [];
    const { agent } = agentWith({
      getResourcesMonitoringConfiguration: () => configuration,
      pushResourcesMonitoringUsage: (window) => {
        windows.push(structuredClone(window));
        return push();
      },
    });
    const sender = new ResourcesSender({
      sample: () => ({ memory: { used: ++samples, total: 100n } }),
      onWarning: (text) => warnings.push(text),
      ...options,
    });
    const abort = new AbortController();
    const run = sender.run(agent, abort.signal).then(
      () => undefined,
      (error: Error) => error,
    );
    await sleep(0);
    await story({ windows, warnings, run, sender, onPush: (next) => (push = next) });
    abort.abort();
    await run;
  });
  expect(timers).toBe(0);
}

const used = (windows: Window[]) =>
  windows.map(({ datapoints }) => datapoints.map(({ memory }) => memory?.used));

it("C4.61: pushes the window once it is full, and then the whole of it after every interval", () =>
  running(async ({ windows }) => {
    await sleep(29_999);
    expect(windows).toEqual([]);
    await sleep(1);
    expect(used(windows)).toEqual([[1n, 2n, 3n]]);
    await sleep(20_000);
    expect(used(windows).slice(1)).toEqual([
      [2n, 3n, 4n],
      [3n, 4n, 5n],
    ]);
    expect(windows[0]?.datapoints[0]?.collectedAt).toBeDefined();
  }));

it("C4.60: measures what is enabled", async () => {
  const wanted: unknown[] = [];
  const sample: ResourcesSenderOptions["sample"] = (what) => {
    wanted.push(what);
    return { volumes: [{ volume: "/", used: 1n, total: 2n }] };
  };
  await running(
    async ({ windows }) => {
      await sleep(30_000);
      expect(wanted[0]).toEqual({ memory: true, volumes: ["/"] });
      expect(windows[0]?.datapoints[0]).not.toHaveProperty("memory");
      expect(windows[0]?.datapoints[0]?.volumes).toEqual([{ volume: "/", used: 1n, total: 2n }]);
    },
    { sample },
  );
  wanted.length = 0;
  const nothing = { config: answer.config, volumes: [] };
  await running(
    async () => {
      await sleep(10_000);
      expect(wanted).toEqual([{ memory: false, volumes: [] }]);
    },
    { sample },
    nothing,
  );
});

it.each<[string, unknown, string]>([
  ["no configuration", { volumes: [] }, "no configuration"],
  [
    "no interval",
    { ...answer, config: { numDatapoints: 3, collectionIntervalSeconds: 0 } },
    "a configuration without sense (3 samples, one each 0 s)",
  ],
  [
    "an interval below zero",
    { ...answer, config: { numDatapoints: 3, collectionIntervalSeconds: -1 } },
    "a configuration without sense (3 samples, one each -1 s)",
  ],
  [
    "no window",
    { ...answer, config: { numDatapoints: 0, collectionIntervalSeconds: 10 } },
    "a configuration without sense (0 samples, one each 10 s)",
  ],
])("C4.60: says that there is %s, and returns", (_name, configuration, what) =>
  running(
    async ({ run, warnings }) => {
      expect(await run).toBeUndefined();
      expect(warnings).toEqual([
        `resources: the server gave ${what}, so nothing is measured on this connection`,
      ]);
    },
    {},
    configuration,
  ),
);

it("keeps no larger window than it may, whatever the server wants", () =>
  running(
    async ({ windows, warnings }) => {
      await sleep(30_000);
      expect(used(windows)).toEqual([
        [1n, 2n],
        [2n, 3n],
      ]);
      expect(warnings).toEqual(["resources: the server wants 2000000000 samples in a window; it gets 2"]);
    },
    { maxDatapoints: 2 },
    { ...answer, config: { numDatapoints: 2_000_000_000, collectionIntervalSeconds: 10 } },
  ));

it("waits an interval that is longer than a timer, without a loop", () =>
  running(
    async ({ windows }) => {
      await sleep(2_147_483_646);
      expect(windows).toEqual([]);
      await sleep(1);
      expect(windows).toHaveLength(1);
    },
    {},
    { ...answer, config: { numDatapoints: 1, collectionIntervalSeconds: 2_147_483_647 } },
  ));

it.each([
  ["refused", refusal("no monitor")],
  ["without an answer", late()],
])("C4.62, C10.12: a push that is %s is counted, and the next window is pushed", (_name, error) =>
  running(async ({ windows, warnings, sender, onPush }) => {
    onPush(() => Promise.reject(error));
    await sleep(30_000);
    onPush(() => ({}));
    await sleep(10_000);
    expect(used(windows)).toEqual([
      [1n, 2n, 3n],
      [2n, 3n, 4n],
    ]);
    expect(sender.dropped).toEqual({ push_failed: 1 });
    expect(warnings).toEqual([`resources: ${error.rawMessage}`]);
  }),
);

it("returns when pushes are not there, and gives a lost connection up", async () => {
  await running(async ({ run, onPush }) => {
    onPush(() => Promise.reject(unimplemented()));
    await sleep(30_000);
    expect(await run).toBeUndefined();
  });
  await running(async ({ run, onPush }) => {
    onPush(() => Promise.reject(lost()));
    await sleep(30_000);
    expect((await run)?.message).toContain("was lost");
  });
});

it("C4.62: a sample that fails is an empty one, and the beat goes on", async () => {
  const ways: ResourcesSenderOptions["sample"][] = [
    () => Promise.reject(new Error("no such volume")),
    () => {
      throw new Error("no memory");
    },
  ];
  await running(
    async ({ windows, warnings }) => {
      await sleep(30_000);
      expect(used(windows)).toEqual([[undefined, undefined, 5n]]);
      expect(warnings).toEqual([
        "resources: a sample could not be taken: no such volume",
        "resources: a sample could not be taken: no memory",
      ]);
    },
    { sample: (...args) => (ways.shift() ?? (() => ({ memory: { used: 5n, total: 9n } })))(...args) },
  );
});

it("keeps the beat however long samples and pushes take", () =>
  running(async ({ windows, onPush }) => {
    onPush(() => new Promise((resolve) => setTimeout(resolve, 12_000)));
    await sleep(30_000);
    // the one at 40 s is missed
    await sleep(19_999);
    expect(windows).toHaveLength(1);
    await sleep(1);
    expect(windows).toHaveLength(2);
    await sleep(12_000);
  }));

it("does not wait for a sample that knows of no signal", () =>
  inVirtualTime(async () => {
    const { agent } = agentWith({ getResourcesMonitoringConfiguration: () => answer });
    const sender = new ResourcesSender({ sample: () => new Promise(() => {}) });
    const abort = new AbortController();
    const run = failure(sender.run(agent, abort.signal));
    await sleep(10_000);
    abort.abort(new Error("the connection ends"));
    expect((await run).message).toBe("the connection ends");
  }).then((timers) => expect(timers).toBe(0)));
