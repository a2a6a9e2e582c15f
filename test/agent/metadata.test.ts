import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { AgentHost } from "../../src/agent/index.js";
import { metadataPart } from "../../src/agent/workspace/metadata-part.js";
import type { AgentClient } from "../../src/client/index-node.js";
import { ManifestSchema } from "../../src/gen/coder/agent/v2/agent_pb.js";
import { eventually } from "../support/control-plane.js";

interface Collected {
  key: string;
  value: string;
  error: string;
}

/** Collects metadata over a connection, looking every few milliseconds; N on the wire are nanoseconds (C1.55). */
function collecting(
  descriptions: { key: string; script: string; interval?: number; timeout?: number }[],
  reportIntervalMs = 20,
) {
  const collected: Collected[] = [];
  const host = {
    manifest: create(ManifestSchema, {
      metadata: descriptions.map(({ key, script, interval = 0, timeout = 0 }) => ({
        key,
        script,
        interval: { nanos: interval },
        timeout: { nanos: timeout },
      })),
    }),
    workplace: { directory: "/", environment: { PATH: process.env["PATH"] ?? "" } },
    tell: () => {},
  } as unknown as AgentHost;
  const part = metadataPart(host, { reportIntervalMs });
  const agent = {
    batchUpdateMetadata: async ({ metadata }: { metadata: { key: string; result: Collected }[] }) => {
      for (const { key, result } of metadata) {
        collected.push({ key, value: result.value, error: result.error });
      }
      return {};
    },
  } as unknown as AgentClient;
  const connect = () => {
    const abort = new AbortController();
    const end = Promise.allSettled([
      part.onConnection?.({} as never, abort.signal),
      ...(part.senders ?? []).map((sender) => sender.run(agent, abort.signal)),
    ]);
    const disconnect = async () => {
      abort.abort(new Error("lost"));
      await end;
    };
    onTestFinished(disconnect);
    return disconnect;
  };
  return { collected, connect };
}

const valueFrom = async (script: string): Promise<Collected> => {
  const { collected, connect } = collecting([{ key: "k", script }]);
  connect();
  await eventually(() => collected.length > 0, "the value");
  return collected[0] as Collected;
};

describe("metadata", () => {
  it("with no interval is collected once for each connection (C4.38)", async () => {
    const { collected, connect } = collecting([
      { key: "once", script: "echo 1" },
      { key: "often", script: "echo 2", interval: 1 },
    ]);
    const often = () => collected.filter(({ key }) => key === "often").length;
    const once = () => collected.filter(({ key }) => key === "once").length;
    const disconnect = connect();
    await eventually(() => often() >= 2, "the second value", 10_000);
    expect(once()).toBe(1);
    await disconnect();
    connect();
    await eventually(() => once() === 2, "the value of the next connection");
  }, 20_000);

  it("that is still collected is not collected a second time (C4.37)", async () => {
    const folder = await mkdtemp(join(tmpdir(), "agentwire-metadata-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = join(folder, "runs");
    const script = `echo begin >> ${file}; sleep 1.3; echo end >> ${file}; echo done`;
    const { collected, connect } = collecting([{ key: "slow", script, interval: 1, timeout: 5 }], 100);
    connect();
    await eventually(() => collected.length >= 2, "two values", 10_000);
    expect(await readFile(file, "utf8")).toMatch(/^(begin\nend\n){2,}(begin\n)?$/);
  }, 20_000);

  it("is ended with the connection, and what it runs as well", async () => {
    const folder = await mkdtemp(join(tmpdir(), "agentwire-metadata-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = join(folder, "pid");
    const script = `trap 'sleep 0.2; exit 1' TERM; echo $$ > ${file}; while :; do sleep 0.05; done`;
    const { collected, connect } = collecting([{ key: "pid", script, timeout: 600 }]);
    const disconnect = connect();
    const pid = await vi.waitFor(async () => {
      const text = await readFile(file, "utf8");
      expect(text).toMatch(/^\d+\n$/);
      return Number(text);
    });
    await disconnect();
    expect(() => process.kill(pid, 0)).toThrow("ESRCH");
    expect(collected).toEqual([]);
  });

  it("is cut at 10,240 bytes, at the end of a character, and says so once (C4.40)", async () => {
    // 1 + 4 × 3000 bytes: byte 10,240 is in the middle of a character
    const { value, error } = await valueFrom(
      'printf x; i=0; while [ $i -lt 30 ]; do printf "%.0s\\360\\237\\230\\200" $(seq 100); i=$((i+1)); done',
    );
    expect(Buffer.byteLength(value)).toBe(10_237);
    expect(value).toBe(`x${"😀".repeat(2559)}`);
    expect(error).toBe("output truncated from 12001 to 10240 bytes");
  });

  it("that is no UTF-8 is text all the same, within the limit (C3.7)", async () => {
    expect(await valueFrom("printf 'a\\377b\\000c'")).toEqual({ key: "k", value: "a\uFFFDbc", error: "" });
    const { value, error } = await valueFrom("head -c 20000 /dev/zero | tr '\\0' '\\377'");
    expect(value).toBe("\uFFFD".repeat(3413));
    expect(error).toBe("output truncated from 20000 to 10240 bytes");
  });

  it("has an empty standard input, and ends after its time (C4.39, C4.40)", async () => {
    expect(await valueFrom("cat; echo end")).toEqual({ key: "k", value: "end\n", error: "" });
    const { collected, connect } = collecting([{ key: "k", script: "sleep 60", interval: 60, timeout: 1 }]);
    connect();
    await eventually(() => collected.length > 0, "the end", 10_000);
    expect(collected[0]?.error).toBe("run cmd: no end within 1 s");
  }, 20_000);
});
