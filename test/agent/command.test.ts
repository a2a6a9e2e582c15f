import { mkdtemp, readFile, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { type Command, runCommand } from "../../src/agent/scripts/command.js";
import { expandDirectory } from "../../src/agent/workspace/workplace.js";

async function run(script: string, more: Partial<Command> = {}) {
  const out = { stdout: "", stderr: "" };
  const end = await runCommand({
    script,
    directory: tmpdir(),
    environment: { PATH: process.env["PATH"] ?? "" },
    signal: new AbortController().signal,
    onStdout: (chunk) => {
      out.stdout += chunk.toString();
    },
    onStderr: (chunk) => {
      out.stderr += chunk.toString();
    },
    ...more,
  });
  return { ...end, ...out, durationMs: end.endedAt.getTime() - end.startedAt.getTime() };
}

describe("a command", () => {
  it("has output, errors and an exit code", async () => {
    expect(await run("echo a; echo b >&2; exit 3")).toMatchObject({
      status: "exit_failure",
      exitCode: 3,
      stdout: "a\n",
      stderr: "b\n",
    });
  });

  it("is held back by who takes its output", async () => {
    let most = 0;
    let waiting = 0;
    const { status } = await run("head -c 5000000 /dev/zero", {
      onStdout: async (chunk) => {
        waiting += chunk.length;
        most = Math.max(most, waiting);
        await new Promise((resolve) => setTimeout(resolve, 1));
        waiting -= chunk.length;
      },
    });
    expect(status).toBe("ok");
    // what the stream buffers and one chunk more, which is not the same in all versions of Node
    expect(most).toBeLessThanOrEqual(262_144);
  });

  it("that ignores the request to end is ended by force, and what it has started with it", async () => {
    const end = await run("trap '' TERM; sleep 60 & wait; sleep 60", { timeoutMs: 100 });
    expect(end).toMatchObject({ status: "timed_out", exitCode: 255 });
    expect(end.durationMs).toBeLessThan(20_000);
  }, 30_000);

  it("that leaves something with its pipes in the background is not waited for for ever (C4.68)", async () => {
    const end = await run("sleep 13 & echo started");
    expect(end).toMatchObject({ status: "pipes_left_open", exitCode: 255, stdout: "started\n" });
    expect(end.durationMs).toBeLessThan(12_500);
  }, 30_000);

  it("that leaves something in the background without its pipes has ended", async () => {
    expect(await run("sleep 1 >/dev/null 2>&1 & exit 0")).toMatchObject({ status: "ok", exitCode: 0 });
  });

  it("ends with its signal", async () => {
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 100);
    const end = await run("sleep 60", { signal: abort.signal });
    expect(end).toMatchObject({ status: "exit_failure", exitCode: 255 });
  });

  it("is ended when its output cannot be taken", async () => {
    const refuse = () => Promise.reject(new Error("no room"));
    await expect(run("echo a; sleep 60", { onStdout: refuse })).rejects.toThrow("no room");
  });

  it("that cannot be started is an error", async () => {
    await expect(run("true", { directory: "/does/not/exist" })).rejects.toThrow("ENOENT");
  });

  it("has nothing on its standard input", async () => {
    expect(await run("cat; echo end")).toMatchObject({ status: "ok", stdout: "end\n" });
  });

  it("has a time limit of more than a timer can count: it is none", async () => {
    expect(await run("sleep 0.1; echo done", { timeoutMs: 2 ** 31 })).toMatchObject({
      status: "ok",
      stdout: "done\n",
    });
  });

  it("that is ended has nothing left of it, even what ignores the request and has other pipes", async () => {
    const folder = await mkdtemp(join(tmpdir(), "agentwire-command-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, "pid");
    const stubborn = `sh -c 'trap "" TERM; echo $$ > ${file}; while :; do sleep 0.1; done' >/dev/null 2>&1 &`;
    const abort = new AbortController();
    const ended = run(`${stubborn} sleep 300`, { signal: abort.signal });
    const pid = await vi.waitFor(async () => {
      const text = await readFile(file, "utf8");
      expect(text).toMatch(/^\d+\n$/);
      return Number(text);
    });
    abort.abort();
    await ended;
    // one that nobody has buried yet is dead as well
    const state = async () => readFile(`/proc/${pid}/stat`, "utf8").catch(() => "gone");
    await vi.waitFor(async () => expect(await state()).toMatch(/^gone$|\) Z /));
  }, 20_000);

  it("that leaves something behind which never stops writing is not waited for for ever (C4.68)", async () => {
    const folder = await mkdtemp(join(tmpdir(), "agentwire-command-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, "pid");
    const end = await run(`yes & echo $! > ${file}`, {
      onStdout: () => new Promise((resolve) => setTimeout(resolve, 1)),
    });
    expect(end).toMatchObject({ status: "pipes_left_open", exitCode: 255 });
    expect(end.durationMs).toBeLessThan(25_000);
  }, 40_000);
});

describe("a directory of a manifest (C4.28)", () => {
  const environment = { PROJECT: "wire" };
  it.each([
    ["", ""],
    ["/projects", "/projects"],
    ["~", homedir()],
    ["~/code/$PROJECT", `${homedir()}/code/wire`],
    [`code/\${PROJECT}x`, `${homedir()}/code/wirex`],
    ["~someone/x", `${homedir()}/~someone/x`],
    ["/a/$NOTHING/b", "/a//b"],
  ])("%j becomes %j", (directory, expanded) => {
    expect(expandDirectory(directory, environment)).toBe(expanded);
  });
});
