import { mkdir, rename, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { nodeFiles } from "../../../src/local/context/files.js";
import { Watches } from "../../../src/local/context/watches.js";
import type { ContextFiles } from "../../../src/local/index.js";
import { eventually } from "../../support/control-plane.js";
import { runs, timeoutMs } from "../../support/scale.js";
import { skillFile, Workplace } from "./workplace.js";

/** Node's files; what is watched, and what is read, is counted. */
function countingFiles(faults: { watch?: (path: string) => Error | undefined } = {}) {
  const watched: string[] = [];
  let directoriesRead = 0;
  const events = new Map<string, (event: "rename" | "change", name: string | undefined) => void>();
  const files: ContextFiles = {
    ...nodeFiles,
    entriesOf(path) {
      directoriesRead++;
      return nodeFiles.entriesOf(path);
    },
    watch(path, onEvent, onError) {
      const fault = faults.watch?.(path);
      if (fault !== undefined) throw fault;
      watched.push(path);
      events.set(path, onEvent);
      const close = nodeFiles.watch(path, onEvent, onError);
      return () => {
        watched.splice(watched.indexOf(path), 1);
        close();
      };
    },
  };
  return { files, watched, events, directoriesRead: () => directoriesRead };
}

describe("a context that is watched", () => {
  it("has what is written, renamed and removed", async () => {
    const place = await Workplace.make({ "work/AGENTS.md": "1" });
    const context = await place.opened();
    const hashOf = () => context.snapshot().resources[0]?.contentHash.join();
    const before = hashOf();
    await place.write({ "work/AGENTS.md": "2" });
    await eventually(() => hashOf() !== before, "the new content");
    await rename(place.at("work/AGENTS.md"), place.at("work/CLAUDE.md"));
    await place.untilListed(context, ["instruction_file work/CLAUDE.md"]);
    await writeFile(place.at("work/.new"), "3");
    await rename(place.at("work/.new"), place.at("work/AGENTS.md"));
    await place.untilListed(context, ["instruction_file work/AGENTS.md", "instruction_file work/CLAUDE.md"]);
    await unlink(place.at("work/CLAUDE.md"));
    await unlink(place.at("work/AGENTS.md"));
    await place.untilListed(context, []);
  });

  it("has directories that come, move and go, with all that is in them", async () => {
    const place = await Workplace.make();
    const context = await place.opened();
    await place.write({ "work/a/b/AGENTS.md": "", "work/skills/alpha/SKILL.md": skillFile("alpha") });
    await place.untilListed(context, ["instruction_file work/a/b/AGENTS.md", "skill work/skills/alpha"]);
    await rename(place.at("work/a"), place.at("work/c"));
    await place.untilListed(context, ["instruction_file work/c/b/AGENTS.md", "skill work/skills/alpha"]);
    await place.write({ "work/c/b/CLAUDE.md": "" });
    await place.untilListed(context, [
      "instruction_file work/c/b/AGENTS.md",
      "instruction_file work/c/b/CLAUDE.md",
      "skill work/skills/alpha",
    ]);
    await rm(place.at("work/c"), { recursive: true });
    await rm(place.at("work/skills"), { recursive: true });
    await place.untilListed(context, []);
  });

  it("sees changes in a directory that took the place of another", async () => {
    const place = await Workplace.make({ "work/a/b/AGENTS.md": "", "next/b/x": "" });
    const context = await place.opened();
    await rename(place.at("work/a"), place.at("old"));
    await rename(place.at("next"), place.at("work/a"));
    await place.untilListed(context, []);
    await place.write({ "work/a/b/CLAUDE.md": "" });
    await place.untilListed(context, ["instruction_file work/a/b/CLAUDE.md"]);
    await rm(place.at("work/a"), { recursive: true });
    await place.write({ "work/a/b/x": "" });
    await place.untilListed(context, []);
    await place.write({ "work/a/b/AGENTS.md": "" });
    await place.untilListed(context, ["instruction_file work/a/b/AGENTS.md"]);
  });

  it("has roots that come later, and come again", async () => {
    const place = await Workplace.make();
    await rm(place.work, { recursive: true });
    const context = await place.opened({ directory: "~/nested/deep/work" });
    await place.write({ ".coder/skills/alpha/SKILL.md": skillFile("alpha") });
    await place.untilListed(context, ["skill .coder/skills/alpha"]);
    await place.write({ "nested/deep/work/AGENTS.md": "" });
    await place.untilListed(context, [
      "instruction_file nested/deep/work/AGENTS.md",
      "skill .coder/skills/alpha",
    ]);
    await rm(place.at("nested"), { recursive: true });
    await place.untilListed(context, ["skill .coder/skills/alpha"]);
    await place.write({ "nested/deep/work/CLAUDE.md": "" });
    await place.untilListed(context, [
      "instruction_file nested/deep/work/CLAUDE.md",
      "skill .coder/skills/alpha",
    ]);
  });

  it("sees changes behind symbolic links", async () => {
    const place = await Workplace.make({
      "work/docs/guide.md": "1",
      "work/lib/alpha/SKILL.md": skillFile("alpha"),
    });
    await mkdir(place.at("work/skills"));
    await symlink("docs/guide.md", place.at("work/AGENTS.md"));
    await symlink("../lib/alpha", place.at("work/skills/alpha"));
    const context = await place.opened();
    const { aggregateHash } = context.snapshot();
    await place.write({ "work/docs/guide.md": "2" });
    await eventually(
      () => context.snapshot().aggregateHash.join() !== aggregateHash.join(),
      "the new content",
    );
    await unlink(place.at("work/skills/alpha"));
    await place.untilListed(context, ["instruction_file work/AGENTS.md"]);
  });

  it(
    "has the disk's state in the end, whatever happens on it",
    async () => {
      const paths = ["AGENTS.md", "a/AGENTS.md", "a/b/CLAUDE.md", "skills/x/SKILL.md", "c/skills/y/SKILL.md"];
      const folders = ["a", "a/b", "skills", "c", "c/skills"];
      const step = fc.oneof(
        fc.record({ op: fc.constant("write" as const), at: fc.constantFrom(...paths), text: fc.nat(3) }),
        fc.record({ op: fc.constant("remove" as const), at: fc.constantFrom(...paths, ...folders) }),
        fc.record({
          op: fc.constant("move" as const),
          at: fc.constantFrom(...folders),
          to: fc.constantFrom(...folders, "d"),
        }),
        fc.record({ op: fc.constant("wait" as const), ms: fc.nat(8) }),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
          const place = await Workplace.make();
          const context = await place.opened({ debounceMs: 2 });
          for (const one of steps) {
            if (one.op === "write") {
              const text = one.at.endsWith("SKILL.md") ? skillFile(`s${one.text}`) : `${one.text}`;
              await place.write({ [`work/${one.at}`]: text }).catch(() => {});
            } else if (one.op === "remove") {
              await rm(join(place.work, one.at), { recursive: true, force: true });
            } else if (one.op === "move") {
              await rename(join(place.work, one.at), join(place.work, one.to)).catch(() => {});
            } else {
              await new Promise((resolve) => setTimeout(resolve, one.ms));
            }
          }
          const fresh = place.context();
          const { resources } = await fresh.resync();
          await eventually(
            () => JSON.stringify(facts(context.snapshot().resources)) === JSON.stringify(facts(resources)),
            `${JSON.stringify(steps)} is seen`,
          );
          await Promise.all([fresh.close(), context.close()]);
        }),
        runs(25),
      );
    },
    timeoutMs(60_000),
  );

  it("does not look again for files that are of no interest", async () => {
    const place = await Workplace.make({ "work/a/AGENTS.md": "" });
    const { files, directoriesRead } = countingFiles();
    const context = await place.opened({ files });
    const before = directoriesRead();
    for (let i = 0; i < 20; i++) await place.write({ [`work/a/${i}.txt`]: "x", "work/a/0.txt": `${i}` });
    for (let i = 0; i < 20; i++) await unlink(place.at(`work/a/${i}.txt`));
    await place.write({ "work/a/node_modules/x": "" });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect([directoriesRead(), context.snapshot().version]).toEqual([before, 1n]);
    // it still sees what is
    await place.write({ "work/a/CLAUDE.md": "" });
    await eventually(() => context.snapshot().version === 2n, "the change");
  });

  it("watches each directory once, drops those that are gone, and none is left when it is closed", async () => {
    const place = await Workplace.make({ "work/a/b/AGENTS.md": "" });
    const { files, watched } = countingFiles();
    const context = await place.opened({ files });
    const expected = ["", "work", "work/a", "work/a/b"].map((path) => place.at(path));
    for (let i = 0; i < 5; i++) await context.resync();
    expect([...watched].sort()).toEqual(expected);
    await rm(place.at("work/a"), { recursive: true });
    await eventually(() => watched.length === 2, "two directories are left");
    await context.close();
    expect(watched).toEqual([]);
  });

  it("looks now and then where it cannot watch, and says so", async () => {
    const place = await Workplace.make({ "work/a/AGENTS.md": "" });
    const full = Object.assign(new Error("no space left"), { code: "ENOSPC" });
    let isFull = true;
    const { files } = countingFiles({ watch: (path) => (isFull && path.endsWith("/a") ? full : undefined) });
    const context = await place.opened({ files, pollMs: 15 });
    expect(context.snapshot().snapshotError).toBe(
      `1 directories cannot be watched and are looked at every 15 ms: ${place.at("work/a")}: ENOSPC`,
    );
    await place.write({ "work/a/CLAUDE.md": "" });
    await place.untilListed(context, [
      "instruction_file work/a/AGENTS.md",
      "instruction_file work/a/CLAUDE.md",
    ]);
    isFull = false;
    await eventually(() => context.snapshot().snapshotError === "", "it is watched");
  });
});

describe("debouncing", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  /** Watches of one directory, with events by hand. */
  async function watches(kindOf: ContextFiles["kindOf"] = async () => "file") {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    let onEvent: Parameters<ContextFiles["watch"]>[1] = () => {};
    let onError: (error: Error) => void = () => {};
    let opened = 0;
    const files: ContextFiles = {
      ...nodeFiles,
      kindOf,
      identityOf: async () => "1",
      watch(_path, event, error) {
        opened++;
        onEvent = event;
        onError = error;
        return () => {};
      },
    };
    let changes = 0;
    const own = new Watches(files, 250, () => changes++);
    const interest = { names: ["AGENTS.md"], passedOver: (name: string) => name === ".git" };
    own.beginRound();
    await own.keep("/w", interest);
    own.endRound();
    return {
      own,
      interest,
      event: (kind: "rename" | "change", name?: string) => onEvent(kind, name),
      error: (error: Error) => onError(error),
      changes: () => changes,
      opened: () => opened,
    };
  }

  it("C4.75 tells of changes once they have paused for 250 ms", async () => {
    const { own, event, changes } = await watches();
    for (let i = 0; i < 5; i++) {
      event("change", "AGENTS.md");
      vi.advanceTimersByTime(249);
    }
    expect(changes()).toBe(0);
    vi.advanceTimersByTime(1);
    expect(changes()).toBe(1);
    vi.advanceTimersByTime(10_000);
    expect([changes(), vi.getTimerCount()]).toEqual([1, 0]);
    own.close();
  });

  it("tells of changes that never pause, every 2.5 s", async () => {
    const { event, changes } = await watches();
    for (let i = 0; i < 100; i++) {
      event("change", "AGENTS.md");
      vi.advanceTimersByTime(100);
    }
    expect(changes()).toBe(4);
  });

  it("takes an event without a name, and an error, as a change", async () => {
    const { event, error, changes } = await watches();
    event("change");
    vi.advanceTimersByTime(250);
    error(new Error("EPERM"));
    vi.advanceTimersByTime(250);
    expect(changes()).toBe(2);
  });

  it("tells of what comes only where it is a directory, and of any where there is too much", async () => {
    const { event, changes } = await watches(async (path) => {
      if (path.endsWith("gone")) throw new Error("ENOENT");
      return path.endsWith("folder") ? "directory" : "file";
    });
    const settled = async () => {
      await vi.advanceTimersByTimeAsync(250);
      return changes();
    };
    event("rename", "some.txt");
    event("rename", "gone");
    event("rename", ".git");
    event("change", "folder");
    expect(await settled()).toBe(0);
    event("rename", "folder");
    expect(await settled()).toBe(1);
    for (let i = 0; i <= 256; i++) event("rename", `${i}.txt`);
    expect(await settled()).toBe(2);
  });

  it("watches a directory anew after its end was told", async () => {
    const { own, interest, event, opened } = await watches();
    const round = async () => {
      own.beginRound();
      await own.keep("/w", interest);
      own.endRound();
    };
    await round();
    expect(opened()).toBe(1);
    event("rename", "w");
    await round();
    expect(opened()).toBe(2);
    own.close();
    expect([own.size, vi.getTimerCount()]).toEqual([0, 0]);
  });
});

describe("one walk after the other", () => {
  it("has all who ask while one is under way share the next", async () => {
    const place = await Workplace.make({ "work/AGENTS.md": "" });
    const { files, directoriesRead } = countingFiles();
    const context = await place.opened({ files });
    const perWalk = directoriesRead();
    await Promise.all(Array.from({ length: 50 }, () => context.resync()));
    expect(directoriesRead()).toBe(perWalk * 3);
  });

  it("lets those who wait for it leave by their signal", async () => {
    const place = await Workplace.make();
    let isStuck = false;
    let goOn: () => void = () => {};
    const context = await place.opened({
      files: {
        ...nodeFiles,
        async *entriesOf(path) {
          if (isStuck) {
            await new Promise<void>((resolve) => {
              goOn = resolve;
            });
          }
          yield* nodeFiles.entriesOf(path);
        },
      },
    });
    isStuck = true;
    const abort = new AbortController();
    const resync = context.resync(abort.signal);
    abort.abort(new Error("enough"));
    await expect(resync).rejects.toThrow("enough");
    await expect(context.resync(abort.signal)).rejects.toThrow("enough");
    isStuck = false;
    goOn();
    expect((await context.resync()).version).toBe(1n);
  });

  it("C4.70 has version 0, and nothing to push, until startup has finished", async () => {
    const place = await Workplace.make({ "work/AGENTS.md": "" });
    const context = place.context();
    const versions: bigint[] = [];
    const unsubscribe = context.onChange(() => versions.push(context.snapshot().version));
    expect((await context.resync()).resources).toHaveLength(1);
    expect([context.snapshot().version, context.pushRequest(true)]).toEqual([0n, undefined]);
    await context.open();
    await context.open();
    await context.resync();
    expect(versions).toEqual([1n]);
    unsubscribe();
    await place.write({ "work/CLAUDE.md": "" });
    expect((await context.resync()).version).toBe(2n);
    expect(versions).toEqual([1n]);
  });

  it("keeps what it knows when it is closed, and does nothing more", async () => {
    const place = await Workplace.make({ "work/AGENTS.md": "" });
    const context = await place.opened();
    const closing = context.resync().catch(() => undefined);
    await context.close();
    await context.close();
    await closing;
    expect(context.snapshot().resources).toHaveLength(1);
    for (const call of [
      context.resync(),
      context.open(),
      context.setDirectory("/"),
      context.addSource("/"),
      context.removeSource("/"),
    ]) {
      await expect(call).rejects.toThrow("the workspace's context is closed");
    }
  });

  it("tells every listener, also where one of them fails", async () => {
    const place = await Workplace.make();
    const context = place.context();
    let told = 0;
    const thrown: unknown[] = [];
    const onUncaught = (error: unknown) => thrown.push(error);
    const before = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", onUncaught);
    try {
      context.onChange(() => {
        throw new Error("a listener's own");
      });
      context.onChange(() => told++);
      await context.open();
      await new Promise((resolve) => setImmediate(resolve));
    } finally {
      process.removeListener("uncaughtException", onUncaught);
      for (const listener of before) process.on("uncaughtException", listener);
    }
    expect([told, thrown.map(String)]).toEqual([1, ["Error: a listener's own"]]);
  });
});

function facts(resources: readonly { id: string; status: string; name: string; contentHash: Uint8Array }[]) {
  return resources.map(({ id, status, name, contentHash }) => [id, status, name, contentHash.join()]);
}
