import { rename, rm, writeFile } from "node:fs/promises";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { type DerpMapFileOptions, derpMapFile } from "../../../../src/server/index.js";
import { derpMapJson } from "../../../../src/server/tailnet/derp/derp-map-json.js";
import { watchTimers } from "../../../leaks/live-things.js";
import { eventually } from "../../../support/control-plane.js";
import { failure } from "../../../support/echo.js";
import { fileWith } from "../../../support/files.js";
import { derpMap } from "./maps.js";

const jsonOf = (hostName: string) => JSON.stringify(derpMapJson(derpMap(hostName)));

async function opened(path: string, options: DerpMapFileOptions = {}) {
  const problems: string[] = [];
  const onProblem = ({ message }: Error) => void problems.push(message);
  const source = await derpMapFile(path, { intervalMs: 5, onProblem, ...options });
  onTestFinished(() => source.close());
  const hostName = () => source.current.regions["7"]?.nodes[0]?.hostName;
  return { source, problems, hostName };
}

describe("derpMapFile", () => {
  it("has the map of the file, and that of a file that has changed", async () => {
    const path = await fileWith(jsonOf("a.example.com"));
    const { source, hostName, problems } = await opened(path);
    expect(hostName()).toBe("a.example.com");
    const told = vi.fn();
    const end = source.subscribe(told);
    await writeFile(path, jsonOf("b.example.com"));
    await eventually(() => hostName() === "b.example.com", "the new map");
    // written beside it and moved, as careful programs do
    await writeFile(`${path}.new`, jsonOf("c.example.com"));
    await rename(`${path}.new`, path);
    await eventually(() => hostName() === "c.example.com", "the newest map");
    end();
    expect(told.mock.calls.at(-1)?.[0]).toBe(source.current);
    // half a file may have been seen; nothing else
    expect(problems.filter((problem) => !problem.includes("is not a map of relays"))).toEqual([]);
  });

  it("keeps the last good map while the file is none, or is not there, and says each once", async () => {
    const path = await fileWith(jsonOf("a.example.com"));
    const { source, hostName, problems } = await opened(path);
    const told = vi.fn();
    source.subscribe(told);
    await rm(path);
    await eventually(() => problems.length === 1, "the first problem");
    expect(problems[0]).toMatch(/^the map of relays .*file cannot be read: ENOENT/);
    await writeFile(`${path}.new`, '{"Regions":{"7":{"RegionID":8}}}');
    await rename(`${path}.new`, path);
    await eventually(() => problems.length === 2, "the second problem");
    expect(problems[1]).toContain("region 7 says that it is 8");
    await writeFile(`${path}.new`, jsonOf("b.example.com"));
    await rename(`${path}.new`, path);
    await eventually(() => told.mock.calls.length === 1, "the map that is good again");
    expect(hostName()).toBe("b.example.com");
    expect(problems).toHaveLength(2);
  });

  it("says at the beginning what is wrong", async () => {
    const path = await fileWith("nothing");
    expect((await failure(derpMapFile(path))).message).toContain("is not a map of relays");
    expect((await failure(derpMapFile(`${path}-none`))).message).toContain("cannot be read: ENOENT");
    expect((await failure(derpMapFile("/"))).message).toContain("cannot be read: it is no file");
    await writeFile(path, " ".repeat(4 * 1024 * 1024 + 1));
    expect((await failure(derpMapFile(path))).message).toContain("it has more than 4194304 bytes");
  });

  it("leaves no timer behind, closed or by its signal", async () => {
    const timers = watchTimers();
    const path = await fileWith(jsonOf("a.example.com"));
    const end = new AbortController();
    const sources = await Promise.all(
      Array.from({ length: 20 }, (_, i) => derpMapFile(path, i % 2 ? {} : { signal: end.signal })),
    );
    end.abort();
    for (const [i, source] of sources.entries()) if (i % 2) await source.close();
    await eventually(() => timers().length === 0, "no timer is left");
    expect((await failure(derpMapFile(path, { signal: end.signal }))).name).toBe("AbortError");
  });
});
