import { readFile } from "node:fs/promises";
import { freemem, totalmem } from "node:os";

/** Bytes in use and bytes that there are. */
export interface MemoryUse {
  used: bigint;
  total: bigint;
}

const cgroup = "/sys/fs/cgroup";

/**
 * The memory of this machine, or of this container where it has a limit of its own (cgroup v2): what can be taken
 * back at any time, such as cached files, is not in use.
 */
export async function memoryUse(read = (path: string) => readFile(path, "utf8")): Promise<MemoryUse> {
  const total = BigInt(totalmem());
  const machine = { used: total - BigInt(freemem()), total };
  try {
    const limit = (await read(`${cgroup}/memory.max`)).trim();
    if (!/^\d+$/.test(limit) || BigInt(limit) >= total) return machine;
    const current = BigInt((await read(`${cgroup}/memory.current`)).trim());
    const cached = /^inactive_file (\d+)$/m.exec(await read(`${cgroup}/memory.stat`));
    const used = current - BigInt(cached?.[1] ?? 0);
    return { used: used > 0n ? used : 0n, total: BigInt(limit) };
  } catch {
    // no such control group: the machine's memory is what there is
    return machine;
  }
}
