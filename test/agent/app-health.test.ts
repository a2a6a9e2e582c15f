import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { AgentHost } from "../../src/agent/index.js";
import { appHealthPart } from "../../src/agent/workspace/app-health-part.js";
import type { AgentClient } from "../../src/client/index-node.js";
import { AppHealth, type Manifest, ManifestSchema } from "../../src/gen/coder/agent/v2/agent_pb.js";
import { eventually } from "../support/control-plane.js";

async function webServer(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

const id = new Uint8Array(16).fill(7);

function manifestOf(url: string, interval: { seconds?: bigint; nanos?: number }, threshold = 1): Manifest {
  return create(ManifestSchema, { apps: [{ id, slug: "web", healthcheck: { url, interval, threshold } }] });
}

function checking(manifest: Manifest) {
  const healths: AppHealth[] = [];
  const part = appHealthPart({ manifest, tell: () => {} } as unknown as AgentHost);
  const agent = {
    batchUpdateAppHealths: async ({ updates }: { updates: { health: AppHealth }[] }) => {
      healths.push(...updates.map(({ health }) => health));
      return {};
    },
  } as unknown as AgentClient;
  const abort = new AbortController();
  const end = Promise.allSettled([
    part.onConnection?.({} as never, abort.signal),
    ...(part.senders ?? []).map((sender) => sender.run(agent, abort.signal)),
  ]);
  const stop = async () => {
    abort.abort(new Error("lost"));
    await end;
  };
  onTestFinished(stop);
  return { healths, stop };
}

const tenth = { nanos: 100_000_000 };

describe("the health of an app", () => {
  it("is unhealthy after one failure more than the threshold, and healthy after one success (C4.46)", async () => {
    let checks = 0;
    // a real server may not be reached within a tenth of a second, which would be one more failure
    vi.stubGlobal("fetch", async () => new Response(null, { status: ++checks <= 3 ? 503 : 499 }));
    onTestFinished(() => void vi.unstubAllGlobals());
    const seen: number[] = [];
    const manifest = manifestOf("http://127.0.0.1:9/", tenth, 2);
    const part = appHealthPart({ manifest, tell: () => {} } as unknown as AgentHost);
    const sender = part.senders?.[0] as unknown as { set(id: Uint8Array, health: AppHealth): boolean };
    const set = sender.set.bind(sender);
    sender.set = (appId, health) => {
      seen.push(checks, health);
      return set(appId, health);
    };
    const abort = new AbortController();
    const end = part.onConnection?.({} as never, abort.signal).catch(() => {});
    await eventually(() => seen.length >= 4, "both healths");
    abort.abort();
    await end;
    expect(seen.slice(0, 4)).toEqual([3, AppHealth.UNHEALTHY, 4, AppHealth.HEALTHY]);
  });

  it("is that of where a redirect leads", async () => {
    const url = await webServer((request, response) => {
      if (request.url === "/") response.writeHead(302, { location: "/login" }).end();
      else response.writeHead(200).end();
    });
    const { healths } = checking(manifestOf(url, tenth));
    await eventually(() => healths.length > 0, "a health", 10_000);
    expect(healths[0]).toBe(AppHealth.HEALTHY);
  });

  it("is bad for a server that does not answer, and no check outlives its interval (C4.45)", async () => {
    let open = 0;
    let most = 0;
    const url = await webServer((request) => {
      most = Math.max(most, ++open);
      request.on("close", () => open--);
    });
    const { healths, stop } = checking(manifestOf(url, tenth));
    await eventually(() => healths.length > 0, "a health", 10_000);
    expect(healths[0]).toBe(AppHealth.UNHEALTHY);
    expect(most).toBeLessThanOrEqual(2);
    await stop();
    await eventually(() => open === 0, "the end of all checks");
  });

  it.each<[string, { seconds?: bigint; nanos?: number }]>([
    ["a nanosecond", { nanos: 1 }],
    ["a year", { seconds: 31_536_000n }],
  ])("with an interval of %s is not checked all the time", async (_what, interval) => {
    let checks = 0;
    const url = await webServer((_request, response) => {
      checks++;
      response.end();
    });
    const { stop } = checking(manifestOf(url, interval));
    await new Promise((resolve) => setTimeout(resolve, 450));
    await stop();
    expect(checks).toBeLessThanOrEqual(interval.nanos === 1 ? 4 : 0);
  });
});
