import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  AppHealth,
  AppHealthSender,
  type AppStatus,
  AppStatusSender,
  AppStatusState,
  ConnectionAction,
  ConnectionSender,
  ConnectionType,
  type LifecycleName,
  LifecycleSender,
  MetadataSender,
  type OpenConnection,
  ResourcesSender,
  ScriptTimingSender,
  type Sender,
  StatsSender,
  TimingStage,
  TimingStatus,
} from "../../../src/client/index-node.js";
import { runs } from "../../support/scale.js";
import { FaultyServer, faults, inVirtualTime, lifetimes, sleep } from "./faulty-server.js";

/** A pause between two things that happen, in milliseconds. */
const waitMs = fc.constantFrom(0, 0, 1, 300, 1000, 7000);

/**
 * Whatever a server does to a sender: steps happen with pauses between them, then the server is quiet for long enough
 * that everything can arrive, then the runs end.
 * @param make makes the sender, a step, and what is checked at the end.
 */
function survives<S>(
  step: fc.Arbitrary<S>,
  make: (server: FaultyServer) => { sender: Sender; take(step: S): void; check(server: FaultyServer): void },
) {
  const steps = fc.array(fc.tuple(step, waitMs), { maxLength: 40 });
  return fc.assert(
    fc.asyncProperty(steps, faults, lifetimes, async (story, faultList, lifetimeList) => {
      const server = new FaultyServer(faultList, lifetimeList);
      const { sender, take, check } = make(server);
      const end = new AbortController();
      let listeners = 0;
      const timers = await inVirtualTime(async () => {
        const running = server.keepRunning(sender, end.signal).then((left) => {
          listeners = left;
        });
        for (const [what, ms] of story) {
          take(what);
          await sleep(ms);
        }
        server.isQuiet = true;
        await sleep(400_000);
        const pending = sender.whenEmpty().then(() => sender.pending);
        await sleep(10);
        expect(await pending).toBe(0);
        end.abort();
        await sleep(1000);
        await running;
      });
      expect({ timers, listeners }).toEqual({ timers: 0, listeners: 0 });
      expect(server.mostAtOnce).toBeLessThanOrEqual(1);
      check(server);
    }),
    runs(150),
  );
}

const droppedBy = ({ dropped }: Sender, reason: string) => dropped[reason] ?? 0;
const totalDropped = ({ dropped }: Sender) => Object.values(dropped).reduce((sum, count) => sum + count, 0);
const withoutRepeats = <T>(list: readonly T[]) => list.filter((item, i) => item !== list[i - 1]);

describe("whatever happens to connections, answers and calls", () => {
  it("lifecycle: every state arrives, in order, again only where its answer was lost (C4.34)", async () => {
    const order: LifecycleName[] = [
      "starting",
      "start_error",
      "ready",
      "shutting_down",
      "shutdown_error",
      "off",
    ];
    await survives(fc.constantFrom(...order), () => {
      const sender = new LifecycleSender();
      const entered: number[] = [];
      return {
        sender,
        take: (state) => {
          if (sender.advance(state)) entered.push(order.indexOf(state));
        },
        check: (server) => {
          const wire = [2, 4, 5, 6, 8, 9];
          const states = server
            .requests("updateLifecycle")
            .map(({ lifecycle }) => wire.indexOf(lifecycle.state));
          expect(withoutRepeats(states)).toEqual(entered);
          expect(repeatsAfterAnAnswer(server, ({ lifecycle }) => lifecycle.state)).toEqual([]);
          expect(sender.dropped).toEqual({});
        },
      };
    });
  });

  it("metadata: the latest value of each key arrives, and no older one after it (C4.42)", async () => {
    await survives(fc.constantFrom("a", "b", "c", "d"), () => {
      const sender = new MetadataSender({ maxKeys: 3 });
      const taken = new Map<string, number>();
      let count = 0;
      let isFull = 0;
      return {
        sender,
        take: (key) => {
          if (sender.set(key, { value: `${++count}` })) taken.set(key, count);
          else isFull++;
        },
        check: (server) => {
          const arrived = new Map<string, number>();
          const distinct = new Set<string>();
          for (const { metadata } of server.requests("batchUpdateMetadata")) {
            for (const { key, result } of metadata) {
              expect(Number(result.value)).toBeGreaterThanOrEqual(arrived.get(key) ?? 0);
              arrived.set(key, Number(result.value));
              distinct.add(result.value);
            }
          }
          expect(Object.fromEntries(arrived)).toEqual(Object.fromEntries(taken));
          expect(droppedBy(sender, "too_many_keys")).toBe(isFull);
          // one that was replaced after its answer was lost is counted, and has arrived
          expect(distinct.size + totalDropped(sender)).toBeGreaterThanOrEqual(count);
        },
      };
    });
  });

  it("stats: no counters arrive twice, and what does not arrive is counted (C4.53)", async () => {
    await survives(fc.constant("pass"), (server) => {
      let collected = 0;
      server.replies["updateStats"] = { reportInterval: { seconds: 2n, nanos: 0 } };
      const sender = new StatsSender({ collect: () => ({ rxBytes: BigInt(++collected) }) });
      return {
        sender,
        take: () => {},
        check: () => {
          const sent = server.arrivals.filter(({ request }) => request.stats !== undefined);
          const numbers = sent.map(({ request }) => Number(request.stats.rxBytes));
          expect(new Set(numbers).size).toBe(numbers.length);
          const answered = sent.filter(({ isAnswered }) => isAnswered).length;
          expect(answered + droppedBy(sender, "report_failed")).toBe(collected);
          expect(collected).toBeGreaterThan(0);
        },
      };
    });
  });

  it("app health: what the server has in the end is what was set last (C4.47)", async () => {
    const step = fc.tuple(
      fc.integer({ min: 1, max: 4 }),
      fc.constantFrom(AppHealth.HEALTHY, AppHealth.UNHEALTHY),
    );
    await survives(step, () => {
      const sender = new AppHealthSender({ maxApps: 3 });
      const taken: Record<number, AppHealth> = {};
      return {
        sender,
        take: ([app, health]) => {
          if (sender.set(new Uint8Array(16).fill(app), health)) taken[app] = health;
        },
        check: (server) => {
          const [last] = server.requests("batchUpdateAppHealths").slice(-1);
          const had = (last?.updates ?? []).map(({ id, health }: { id: Uint8Array; health: AppHealth }) => [
            id[0],
            health,
          ]);
          expect(Object.fromEntries(had)).toEqual(taken);
        },
      };
    });
  });

  it("connections: each report arrives at most once, in order, and is counted where it may not have", async () => {
    const step = fc.constantFrom("connect", "disconnect" as const);
    await survives(step, () => {
      const sender = new ConnectionSender({ maxReports: 6 });
      const open: OpenConnection[] = [];
      const made: string[] = [];
      let asked = 0;
      const nameOf = (id: Uint8Array, action: ConnectionAction) =>
        `${Buffer.from(id).toString("hex")} ${action}`;
      return {
        sender,
        take: (what) => {
          if (what === "connect") {
            asked++;
            const connection = sender.connected({ type: ConnectionType.SSH, ip: "localhost" });
            open.push(connection);
            made.push(nameOf(connection.id, ConnectionAction.CONNECT));
            return;
          }
          const connection = open.shift();
          if (connection === undefined) return;
          asked++;
          connection.disconnected({ statusCode: 1 });
          made.push(nameOf(connection.id, ConnectionAction.DISCONNECT));
        },
        check: (server) => {
          const arrived = server.arrivals.map(({ request: { connection } }) =>
            nameOf(connection.id, connection.action),
          );
          expect(arrived).toEqual(made.filter((name) => arrived.includes(name)));
          const answered = server.arrivals.filter(({ isAnswered }) => isAnswered).length;
          expect(answered + totalDropped(sender)).toBe(asked);
        },
      };
    });
  });

  it("script timings: each arrives in order, again only where its answer was lost, or is counted", async () => {
    await survives(fc.constant("script"), () => {
      const sender = new ScriptTimingSender({ maxTimings: 6 });
      let asked = 0;
      return {
        sender,
        take: () => {
          const time = new Date(asked);
          const scriptId = new Uint8Array(16).fill(1);
          asked++;
          const status = TimingStatus.OK;
          sender.report({
            scriptId,
            start: time,
            end: time,
            exitCode: asked,
            stage: TimingStage.START,
            status,
          });
        },
        check: (server) => {
          const codes: number[] = server.requests("scriptCompleted").map(({ timing }) => timing.exitCode);
          expect(withoutRepeats(codes)).toEqual([...new Set(codes)].sort((a, b) => a - b));
          expect(repeatsAfterAnAnswer(server, ({ timing }) => timing.exitCode)).toEqual([]);
          const answered = server.arrivals.filter(({ isAnswered }) => isAnswered).length;
          expect(answered + totalDropped(sender)).toBe(asked);
        },
      };
    });
  });

  it("app statuses: the last of each app arrives or was refused, in order, and none without news", async () => {
    const step = fc.record({
      slug: fc.constantFrom("a", "b", "c"),
      state: fc.constantFrom(AppStatusState.WORKING, AppStatusState.IDLE),
      message: fc.constantFrom("x", "y"),
    });
    await survives(step, () => {
      const refused: AppStatus[] = [];
      const sender = new AppStatusSender({ maxSlugs: 3, onRefused: (_, status) => refused.push(status) });
      const last = new Map<string, AppStatus>();
      return {
        sender,
        take: (status) => {
          if (sender.report(status)) last.set(status.slug, { ...status, uri: "" });
        },
        check: (server) => {
          for (const [slug, status] of last) {
            const ends = [server.requests("updateAppStatus"), refused].map((list) =>
              list.filter((sent) => sent.slug === slug).at(-1),
            );
            expect(ends).toContainEqual(status);
          }
          expect(droppedBy(sender, "refused")).toBe(refused.length);
          expect(droppedBy(sender, "refused")).toBe(
            server.attempts.filter(({ wasRefused }) => wasRefused).length,
          );
          const text = (status: AppStatus) => JSON.stringify(status);
          expect(repeatsAfterAnAnswer(server, text, ({ slug }) => slug)).toEqual([]);
        },
      };
    });
  });

  it("resources: windows are whole, in order, and begin anew with each connection (C4.61, C10.36)", async () => {
    await survives(fc.constant("pass"), (server) => {
      server.replies["getResourcesMonitoringConfiguration"] = {
        config: { numDatapoints: 3, collectionIntervalSeconds: 4 },
        memory: { enabled: true },
        volumes: [],
      };
      let samples = 0;
      const sender = new ResourcesSender({
        sample: () => ({ memory: { used: BigInt(++samples), total: 9n } }),
      });
      return {
        sender,
        take: () => {},
        check: () => {
          const windows: number[][] = server
            .requests("pushResourcesMonitoringUsage")
            .map(({ datapoints }) =>
              datapoints.map(({ memory }: { memory: { used: bigint } }) => Number(memory.used)),
            );
          expect(windows.length).toBeGreaterThan(0);
          for (const [first = 0, ...rest] of windows) expect(rest).toEqual([first + 1, first + 2]);
        },
      };
    });
  });
});

/** What was sent again although its answer had come, with no other attempt of its kind in between. */
function repeatsAfterAnAnswer(
  { attempts }: FaultyServer,
  // biome-ignore lint/suspicious/noExplicitAny: requests of all RPCs
  nameOf: (request: any) => unknown,
  // biome-ignore lint/suspicious/noExplicitAny: requests of all RPCs
  kindOf: (request: any) => unknown = () => "all",
): unknown[] {
  const last = new Map<unknown, { name: unknown; isAnswered: boolean }>();
  return attempts.flatMap(({ request, isAnswered, wasRefused }) => {
    if (wasRefused) return [];
    const before = last.get(kindOf(request));
    const name = nameOf(request);
    last.set(kindOf(request), { name, isAnswered });
    return before?.isAnswered === true && before.name === name ? [name] : [];
  });
}
