import { statfs } from "node:fs/promises";
import { type ResourceSample, ResourcesSender, type WantedResources } from "../../client/index-node.js";
import { errorText } from "../../rpc/error-text.js";
import type { AgentHost, AgentPart } from "../part.js";
import { memoryUse } from "./memory.js";

/** How resources are measured. */
export interface ResourcesOptions {
  /** Measures once; by default the memory of the machine or container, and its volumes. */
  sample?: (wanted: WantedResources, signal: AbortSignal) => ResourceSample | Promise<ResourceSample>;
}

/** Reports memory and volumes as the server wants. C4.60–C4.62. */
export function resourcesPart(host: AgentHost, options: ResourcesOptions = {}): AgentPart {
  const told = new Set<string>();
  const onWarning = (text: string) => host.tell({ kind: "warning", text });
  /** A volume that cannot be read cannot be read for long: that is told once. */
  const warnOnce = (text: string) => {
    if (told.has(text) || told.size >= 100) return;
    told.add(text);
    onWarning(text);
  };
  const sender = new ResourcesSender({
    sample: options.sample ?? ((wanted) => measured(wanted, warnOnce)),
    onWarning,
  });
  return { name: "resources", senders: [sender] };
}

async function measured(
  { memory, volumes }: WantedResources,
  onWarning: (text: string) => void,
): Promise<ResourceSample> {
  const measuredVolumes: { volume: string; used: bigint; total: bigint }[] = [];
  for (const volume of volumes) {
    try {
      const { blocks, bfree, bsize } = await statfs(volume, { bigint: true });
      measuredVolumes.push({ volume, used: (blocks - bfree) * bsize, total: blocks * bsize });
    } catch (error) {
      onWarning(`volume ${volume}: ${errorText(error)}`);
    }
  }
  return { volumes: measuredVolumes, ...(memory ? { memory: await memoryUse() } : {}) };
}
