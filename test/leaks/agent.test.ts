import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { createAgent } from "../../src/agent/index.js";
import { controlPlane, eventually, token } from "../support/control-plane.js";
import { scale, timeoutMs } from "../support/scale.js";
import { usedBytes, watchTimers } from "./live-things.js";

const lives = 100 * Math.min(scale, 10);
/** What each life keeps shows; what the engine gains and loses by itself does not. */
const noiseBytesPerLife = 20_000;
const events = ["exit", "SIGINT", "SIGTERM", "warning", "unhandledRejection", "uncaughtException"] as const;

it(
  `${lives} lives of an agent leave no timer, listener, socket, file, process and heap behind`,
  async () => {
    const root = await mkdtemp(join(tmpdir(), "agentwire-lives-"));
    onTestFinished(() => rm(root, { recursive: true, force: true }));
    await mkdir(join(root, "tmp"));
    vi.stubEnv("TMPDIR", join(root, "tmp"));
    onTestFinished(() => void vi.unstubAllEnvs());
    const warned = vi.fn();
    process.on("warning", warned);
    onTestFinished(() => void process.off("warning", warned));
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    onTestFinished(() => void process.off("unhandledRejection", unhandled));
    const app = createServer((_request, response) => response.end("fine")).listen(0, "127.0.0.1");
    await once(app, "listening");
    onTestFinished(() => void app.close());

    const timers = watchTimers();
    const plane = await controlPlane(
      {
        directory: root,
        scripts: [
          ...each(12, (i) => ({ displayName: `Start ${i}`, script: "echo start", runOnStart: true })),
          { displayName: "Hangs", script: "exec sleep 600", cron: "* * * * * *" },
          ...each(12, (i) => ({ displayName: `Stop ${i}`, script: "echo stop", runOnStop: true })),
        ],
        metadata: each(12, (i) => ({
          key: `slow ${i}`,
          script: "exec sleep 600",
          intervalSeconds: 1,
          timeoutSeconds: 600,
        })),
        apps: each(12, (i) => ({
          slug: `web-${i}`,
          healthcheck: { url: urlOf(app), intervalSeconds: 1, threshold: 1 },
        })),
      },
      { statsIntervalMs: 1000 },
    );
    const id = plane.agents[0]?.id ?? "";

    const live = async (count: number) => {
      for (let i = 0; i < count; i++) {
        const agent = createAgent({
          dial: { url: plane.url, token, proxy: false },
          commands: { greet: ["/bin/echo"] },
          parts: {
            scripts: { logDirectory: join(root, "logs") },
            socket: { path: join(root, "agent.sock") },
            boundaryLogs: { path: join(root, "boundary.sock") },
          },
        });
        // at every moment of a life, from none to the whole of it
        if (i % 4 === 0) await eventually(() => agent.state === "ready", "ready", 10_000);
        else await new Promise((resolve) => setTimeout(resolve, (i % 4) * 8));
        const { error } = await agent.stop();
        expect(error).toBeUndefined();
      }
    };
    await live(Math.max(10, lives / 5));
    await eventually(() => plane.api.sessionCount === 0, "the end of all sessions");
    const before = { listeners: listenerCounts(), resources: resources() };
    const bytes = await usedBytes();
    await live(lives);
    await eventually(() => plane.api.sessionCount === 0, "the end of all sessions");
    expect(listenerCounts()).toEqual(before.listeners);
    await eventually(() => resources().length <= before.resources.length, "no more sockets").catch(() => {});
    expect(resources().length, resources().join()).toBeLessThanOrEqual(before.resources.length);
    expect(((await usedBytes()) - bytes) / lives).toBeLessThan(noiseBytesPerLife);

    expect(await readdir(join(root, "tmp"))).toEqual([]);
    expect((await readdir(root)).sort()).toEqual(["logs", "tmp"]);
    expect(warned).not.toHaveBeenCalled();
    expect(unhandled).not.toHaveBeenCalled();
    expect((await plane.store.agent(id))?.lifecycleState).toBe("off");
    await plane.close();
    await eventually(() => timers().length === 0, "no timer is left").catch(() => {});
    expect(timers()).toEqual([]);
    await eventually(() => resources().every((name) => name !== "ProcessWrap"), "no process is left");
  },
  timeoutMs(300_000),
);

function each<T>(count: number, make: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => make(i));
}

function urlOf(server: { address(): unknown }): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

function listenerCounts(): number[] {
  return events.map((name) => process.listenerCount(name));
}

/** Sockets, pipes and processes that keep this one alive. */
function resources(): string[] {
  return process.getActiveResourcesInfo().filter((name) => /TCP|Pipe|Process|FS/.test(name));
}
