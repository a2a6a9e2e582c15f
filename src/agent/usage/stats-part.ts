import { type Stats, type StatsInit, StatsSender } from "../../client/index-node.js";
import type { AgentHost, AgentPart } from "../part.js";

/** How stats are collected. */
export interface StatsOptions {
  /**
   * Gives the counters of connections since it was last asked. By default there are none: this agent carries no
   * traffic. Metrics of the agent's parts are added.
   */
  collect?: (signal: AbortSignal) => StatsInit | Promise<StatsInit>;
}

/** There is no latency to tell. C4.51. */
const noLatencyMs = -0.001;

/** Reports stats as often as the server wants. C4.49–C4.53. */
export function statsPart(host: AgentHost, options: StatsOptions = {}): AgentPart {
  const collect: NonNullable<StatsOptions["collect"]> = options.collect ?? (() => ({}));
  const sender = new StatsSender({
    async collect(signal) {
      const stats = (await collect(signal)) as Partial<Stats>;
      const metrics = host.metrics().map((metric) => ({ ...metric, labels: [...metric.labels] }));
      return {
        connectionMedianLatencyMs: noLatencyMs,
        ...stats,
        metrics: [...(stats.metrics ?? []), ...metrics],
      } as StatsInit;
    },
    onWarning: (text) => host.tell({ kind: "warning", text }),
  });
  return { name: "stats", senders: [sender] };
}
