import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type {
  GetResourcesMonitoringConfigurationResponse,
  PushResourcesMonitoringUsageRequest_DatapointSchema,
} from "../../gen/coder/agent/v2/agent_pb.js";
import { errorText } from "../../rpc/error-text.js";
import { waitOf } from "../durations.js";
import { pause } from "../pause.js";
import { unlessAborted } from "../until-aborted.js";
import { type DropCounts, Drops } from "./drops.js";
import { boundOption, msOption } from "./intervals.js";
import { throwIfRunEnds } from "./report-failure.js";
import type { AgentClient, Sender } from "./sender.js";
import { SenderRuns } from "./sender-runs.js";

/** What the server wants to be measured. */
export interface WantedResources {
  memory: boolean;
  /** The paths of volumes. */
  volumes: readonly string[];
}

/** What of it was measured, in bytes. What could not be is left out. C4.62. */
export interface ResourceSample {
  memory?: { used: bigint; total: bigint };
  volumes?: readonly { volume: string; used: bigint; total: bigint }[];
}

/** How a {@link ResourcesSender} behaves. */
export interface ResourcesSenderOptions {
  /** Measures once. When it throws, the sample is an empty one. The signal ends with the connection. */
  sample(wanted: WantedResources, signal: AbortSignal): ResourceSample | Promise<ResourceSample>;
  /** Windows have so many samples at most, whatever the server says; 1,000 by default. */
  maxDatapoints?: number;
  /** How long a call may take, in milliseconds; 30 s by default. */
  reportTimeoutMs?: number;
  /** Told of what does not work, and of a server whose configuration is none. */
  onWarning?(text: string): void;
}

type Datapoint = MessageInitShape<typeof PushResourcesMonitoringUsageRequest_DatapointSchema>;

/**
 * Reports memory and volumes as the server wants: one sample each interval, and from a full window on all of the
 * window, oldest first, after each (C4.61). Every connection asks anew and begins with an empty window (C10.36). A
 * window that fails is counted as `push_failed`; the next one has most of it again.
 */
export class ResourcesSender implements Sender {
  readonly name = "resources";
  readonly pending = 0;
  readonly #runs = new SenderRuns(this.name);
  readonly #drops = new Drops();
  readonly #sample: ResourcesSenderOptions["sample"];
  readonly #maxDatapoints: number;
  readonly #reportTimeoutMs: number;
  readonly #onWarning: (text: string) => void;

  /** @throws RangeError when an option is out of range. */
  constructor(options: ResourcesSenderOptions) {
    this.#sample = options.sample;
    this.#maxDatapoints = boundOption("maxDatapoints", options.maxDatapoints, 1000);
    this.#reportTimeoutMs = msOption("reportTimeoutMs", options.reportTimeoutMs, 30_000);
    this.#onWarning = (text) => options.onWarning?.(`resources: ${text}`);
  }

  get dropped(): DropCounts {
    return this.#drops.byReason;
  }

  /**
   * Asks the server what it wants, and reports it.
   * @returns when the server does not have one of the RPCs, or wants nothing that can be done: there is no
   * configuration, or no interval or window in it.
   * @throws the signal's reason; why the server did not say what it wants (C4.15); why the connection was lost; Error
   * when a run is under way.
   */
  run(
    agent: Pick<AgentClient, "getResourcesMonitoringConfiguration" | "pushResourcesMonitoringUsage">,
    signal: AbortSignal,
  ): Promise<void> {
    return this.#runs.run(signal, async () => {
      const call = { signal, timeoutMs: this.#reportTimeoutMs };
      const answer = await agent.getResourcesMonitoringConfiguration({}, call);
      const plan = this.#planOf(answer);
      if (plan === undefined) return;
      const datapoints: Datapoint[] = [];
      for (let dueMs = performance.now() + plan.intervalMs; ; dueMs = nextAfter(dueMs, plan.intervalMs)) {
        await pause(Math.max(0, dueMs - performance.now()), signal);
        datapoints.push(await this.#datapoint(plan.wanted, signal));
        if (datapoints.length > plan.numDatapoints) datapoints.shift();
        if (datapoints.length === plan.numDatapoints) await this.#push(agent, datapoints, signal);
      }
    });
  }

  /** Resolves at once: what is measured is not kept for anybody. */
  async whenEmpty(): Promise<void> {}

  /** @returns undefined when there is nothing to do. The reference agent does not look, and fails. C4.60. */
  #planOf({ config, memory, volumes }: GetResourcesMonitoringConfigurationResponse) {
    const intervalMs = waitOf({ seconds: BigInt(config?.collectionIntervalSeconds ?? 0), nanos: 0 });
    if (config === undefined || intervalMs === undefined || config.numDatapoints <= 0) {
      const { numDatapoints = 0, collectionIntervalSeconds = 0 } = config ?? {};
      const values = `${numDatapoints} samples, one each ${collectionIntervalSeconds} s`;
      const what = config === undefined ? "no configuration" : `a configuration without sense (${values})`;
      this.#onWarning(`the server gave ${what}, so nothing is measured on this connection`);
      return undefined;
    }
    const numDatapoints = Math.min(config.numDatapoints, this.#maxDatapoints);
    if (numDatapoints < config.numDatapoints) {
      this.#onWarning(
        `the server wants ${config.numDatapoints} samples in a window; it gets ${numDatapoints}`,
      );
    }
    const enabled = volumes.filter((volume) => volume.enabled);
    const wanted = { memory: memory?.enabled === true, volumes: enabled.map(({ path }) => path) };
    return { intervalMs, numDatapoints, wanted };
  }

  async #datapoint(wanted: WantedResources, signal: AbortSignal): Promise<Datapoint> {
    const collectedAt = timestampFromDate(new Date());
    try {
      const sampling = Promise.resolve(this.#sample(wanted, signal));
      const { memory, volumes = [] } = await unlessAborted(sampling, signal);
      return { collectedAt, volumes: [...volumes], ...(memory === undefined ? {} : { memory }) };
    } catch (error) {
      signal.throwIfAborted();
      this.#onWarning(`a sample could not be taken: ${errorText(error)}`);
      return { collectedAt };
    }
  }

  async #push(
    agent: Pick<AgentClient, "pushResourcesMonitoringUsage">,
    datapoints: readonly Datapoint[],
    signal: AbortSignal,
  ): Promise<void> {
    try {
      const call = { signal, timeoutMs: this.#reportTimeoutMs };
      await agent.pushResourcesMonitoringUsage({ datapoints: [...datapoints] }, call);
    } catch (error) {
      this.#drops.count("push_failed");
      throwIfRunEnds(error, signal);
      this.#onWarning(errorText(error));
    }
  }
}

/** The next time of a steady beat that is still to come; those that were missed are left out. */
function nextAfter(dueMs: number, intervalMs: number): number {
  const missed = Math.max(0, Math.floor((performance.now() - dueMs) / intervalMs));
  return dueMs + (missed + 1) * intervalMs;
}
