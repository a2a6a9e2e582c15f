import { freemem, totalmem } from "node:os";
import { describe, expect, it } from "vitest";
import { memoryUse } from "../../src/agent/usage/memory.js";

const files = (texts: Record<string, string>) => async (path: string) => {
  const text = texts[path.replace("/sys/fs/cgroup/", "")];
  if (text === undefined) throw new Error("ENOENT");
  return text;
};

describe("memory in use", () => {
  it("is that of the machine where there is no limit", async () => {
    for (const read of [files({}), files({ "memory.max": "max\n" })]) {
      const { used, total } = await memoryUse(read);
      expect(total).toBe(BigInt(totalmem()));
      expect(Number(used)).toBeGreaterThan(0);
      expect(Math.abs(Number(used) - (totalmem() - freemem()))).toBeLessThan(totalmem() / 4);
    }
  });

  it("is that of the container where it has a limit, without cached files", async () => {
    const read = files({
      "memory.max": "1000000\n",
      "memory.current": "600000\n",
      "memory.stat": "anon 5\ninactive_file 150000\nactive_file 7\n",
    });
    expect(await memoryUse(read)).toEqual({ used: 450_000n, total: 1_000_000n });
  });

  it("is the machine's when the container's limit is above it, or its files make no sense", async () => {
    const total = BigInt(totalmem());
    for (const max of [`${total * 2n}`, "nonsense"]) {
      expect((await memoryUse(files({ "memory.max": max }))).total).toBe(total);
    }
  });
});
