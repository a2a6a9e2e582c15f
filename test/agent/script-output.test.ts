import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { LogFile, logPathOf } from "../../src/agent/scripts/log-file.js";
import { ScriptOutput } from "../../src/agent/scripts/script-output.js";
import { LogSender } from "../../src/client/index-node.js";

const sourceId = Buffer.alloc(16, 7);

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "agentwire-logs-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

describe("the output of a script", () => {
  it("is lines for the control plane, and bytes in a file of mode 0600 (C4.67)", async () => {
    const path = join(await folder(), "new", "script.log");
    const file = await LogFile.open(path, () => {});
    const logs = new LogSender();
    const output = new ScriptOutput({ logs, sourceId, file, signal: new AbortController().signal });
    await output.onStdout(Buffer.from("one\ntw"));
    await output.onStderr(Buffer.from([0xff, 0xfe, 0x0a]));
    await output.onStdout(Buffer.from("o"));
    await output.end();
    await file.close();
    expect(logs.pending).toBe(3);
    expect(await readFile(path)).toEqual(Buffer.from("one\ntw\xff\xfe\no", "latin1"));
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it("waits for a control plane that takes no logs, but not for ever", async () => {
    const file = await LogFile.open(join(await folder(), "log"), () => {});
    const logs = new LogSender({ maxQueuedBytes: 10 });
    const { signal } = new AbortController();
    const output = new ScriptOutput({ logs, sourceId, file, signal, maxHoldMs: 20 });
    await output.onStdout(Buffer.from("0123456789ab\nmore\nlines\n"));
    expect(logs.pending).toBe(1);
    expect(logs.dropped).toEqual({ queue_full: 2 });
    // it does not wait again as long as there is no room
    await output.onStdout(Buffer.from("even\nmore\n"));
    expect(logs.dropped).toEqual({ queue_full: 4 });

    const sent: string[] = [];
    const agent = {
      batchCreateLogs: async (request: { logs?: { output?: string }[] }) => {
        sent.push(...(request.logs ?? []).map((log) => log.output ?? ""));
        return { logLimitExceeded: false };
      },
    } as never;
    const abort = new AbortController();
    const run = logs.run(agent, abort.signal).catch(() => {});
    await logs.whenEmpty();
    await output.onStdout(Buffer.from("again\n"));
    await logs.whenEmpty();
    abort.abort();
    await run;
    await file.close();
    expect(sent).toEqual(["0123456789ab", "again"]);
  });

  it("that cannot go to its file still goes to the control plane, and the file is told once", async () => {
    const warnings: string[] = [];
    const file = await LogFile.open("/dev/null/nowhere/script.log", (text) => warnings.push(text));
    const logs = new LogSender();
    const output = new ScriptOutput({ logs, sourceId, file, signal: new AbortController().signal });
    for (let i = 0; i < 3; i++) {
      await output.onStdout(Buffer.from("line\n"));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await output.end();
    await file.close();
    expect(logs.pending).toBe(3);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("/dev/null/nowhere/script.log");
  });
});

describe("the file of a script's output", () => {
  it("is named after the log source, unless the script names one (C4.67)", () => {
    const id = "07070707-0707-0707-0707-070707070707";
    expect(logPathOf({ logPath: "", logSourceId: sourceId }, "/logs")).toBe(`/logs/coder-script-${id}.log`);
    expect(logPathOf({ logPath: "/var/own.log", logSourceId: sourceId }, "/logs")).toBe("/var/own.log");
    expect(logPathOf({ logPath: "~/own.log", logSourceId: sourceId }, "/logs")).toBe(
      join(process.env["HOME"] ?? "", "own.log"),
    );
  });
});
