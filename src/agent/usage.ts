import { statfs } from "node:fs/promises";
import { freemem, totalmem } from "node:os";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import type { AgentConnection } from "../client/index-node.js";
import { pause } from "../client/pause.js";
import { durationMs } from "./scripts.js";

type Agent = AgentConnection["agent"];

const defaultStatsIntervalMs = 300_000;

/** Asks how often stats are wanted, and sends them so often. This agent carries no network traffic. C4.49. */
export async function reportStats(agent: Pick<Agent, "updateStats">, signal: AbortSignal): Promise<never> {
  const first = await agent.updateStats({}, { signal });
  let intervalMs = durationMs(first.reportInterval) || defaultStatsIntervalMs;
  for (;;) {
    await pause(intervalMs, signal);
    // below zero: there is no latency to tell. C4.51
    const reply = await agent.updateStats({ stats: { connectionMedianLatencyMs: -1 } }, { signal });
    intervalMs = durationMs(reply.reportInterval) || intervalMs;
  }
}

/** Samples memory and volumes as the server wants, and pushes the window of samples once it is full. C4.60, C4.61. */
export async function reportResources(
  agent: Pick<Agent, "getResourcesMonitoringConfiguration" | "pushResourcesMonitoringUsage">,
  signal: AbortSignal,
  onWarning: (text: string) => void,
): Promise<void> {
  const { config, memory, volumes } = await agent.getResourcesMonitoringConfiguration({}, { signal });
  const isWanted = memory?.enabled === true || volumes.some(({ enabled }) => enabled);
  if (!isWanted || config === undefined || config.collectionIntervalSeconds <= 0) return;
  const datapoints: Awaited<ReturnType<typeof sample>>[] = [];
  for (;;) {
    await pause(config.collectionIntervalSeconds * 1000, signal);
    const paths = volumes.filter(({ enabled }) => enabled).map(({ path }) => path);
    datapoints.push(await sample(memory?.enabled === true, paths, onWarning));
    if (datapoints.length > config.numDatapoints) datapoints.shift();
    if (datapoints.length < config.numDatapoints) continue;
    try {
      await agent.pushResourcesMonitoringUsage({ datapoints }, { signal });
    } catch (error) {
      signal.throwIfAborted();
      onWarning(`resource usage: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

async function sample(withMemory: boolean, paths: readonly string[], onWarning: (text: string) => void) {
  const volumes: { volume: string; used: bigint; total: bigint }[] = [];
  for (const volume of paths) {
    try {
      const { blocks, bfree, bsize } = await statfs(volume, { bigint: true });
      volumes.push({ volume, used: (blocks - bfree) * bsize, total: blocks * bsize });
    } catch (error) {
      onWarning(`volume ${volume}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const total = totalmem();
  return {
    collectedAt: timestampNow(),
    volumes,
    ...(withMemory ? { memory: { used: BigInt(total - freemem()), total: BigInt(total) } } : {}),
  };
}
