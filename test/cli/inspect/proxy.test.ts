import { once } from "node:events";
import { describe, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { dialAgent } from "../../../src/client/index-node.js";
import { controlPlane, dialled, eventually, token } from "../../support/control-plane.js";
import { httpServer } from "../../support/http-servers.js";
import { webSocketServer } from "../../support/web-socket-pair.js";
import { proxied } from "./proxied.js";

/** A WebSocket through the proxy to a server of the test, at both ends. */
async function throughProxy(path = "/plain") {
  const { server, url } = await webSocketServer({
    handleProtocols: (protocols) => [...protocols][0] ?? false,
  });
  const { proxy, events } = await proxied(url.replace("ws", "http").replace(/\/path.*/, "/prefix/"));
  const accepted = once(server, "connection");
  const client = new WebSocket(proxy.url.replace("http", "ws") + path, ["one"], {
    headers: { "X-Own": "1" },
  });
  onTestFinished(() => client.terminate());
  await once(client, "open");
  const [far, request] = (await accepted) as [WebSocket, { url: string; headers: Record<string, string> }];
  return { client, far, request, events };
}

describe("an upgraded connection", () => {
  it("reaches the target with path, query, headers and sub-protocol", async () => {
    const { client, request, events } = await throughProxy("/a%2Fb//c?x=1&token=very-secret");
    expect(request.url).toBe("/prefix/a%2Fb//c?x=1&token=very-secret");
    expect(request.headers).toMatchObject({ "x-own": "1", "sec-websocket-protocol": "one" });
    expect(client.protocol).toBe("one");
    expect(events[0]).toMatchObject({ type: "open", target: "/a%2Fb//c?x=1&token=[hidden]" });
  });

  it("carries messages of all kinds and sizes both ways, unchanged", async () => {
    const { client, far, events } = await throughProxy();
    const seen: [string, boolean][] = [];
    client.on("message", (data, isBinary) => seen.push([data.toString(), isBinary]));
    far.on("message", (data, isBinary) => far.send(data, { binary: isBinary }));
    const big = "x".repeat(3_000_000);
    client.send("text");
    client.send(Buffer.from("bytes"));
    client.send(Buffer.from(big));
    await eventually(() => seen.length === 3, "the echo");
    expect(seen).toEqual([
      ["text", false],
      ["bytes", true],
      [big, true],
    ]);
    client.ping("p");
    await once(client, "pong");
    expect(
      events.flatMap((event) => (event.type === "websocket" ? `${event.direction} ${event.opcode}` : [])),
    ).toEqual(
      expect.arrayContaining(["to-server text", "to-client binary", "to-server ping", "to-client pong"]),
    );
  });

  it("ends as its client ends it", async () => {
    const { client, far, events } = await throughProxy();
    const closed = once(far, "close");
    client.close(4001, "enough");
    const [code, reason] = (await closed) as [number, Buffer];
    expect([code, reason.toString()]).toEqual([4001, "enough"]);
    await eventually(() => events.at(-1)?.type === "end", "the end is told");
    expect(events.at(-1)).toMatchObject({ code: 4001, reason: "enough", direction: "to-server" });
  });

  it("ends as its server ends it", async () => {
    const { client, far, events } = await throughProxy();
    const closed = once(client, "close");
    far.close(1001, "restart");
    const [code, reason] = (await closed) as [number, Buffer];
    expect([code, reason.toString()]).toEqual([1001, "restart"]);
    await eventually(() => events.at(-1)?.type === "end", "the end is told");
    expect(events.at(-1)).toMatchObject({ code: 1001, reason: "restart", direction: "to-client" });
  });

  it.each(["client", "server"])("is cut off where its %s is", async (side) => {
    const { client, far, events } = await throughProxy();
    const [cut, other] = side === "client" ? [client, far] : [far, client];
    const closed = once(other, "close");
    cut.terminate();
    expect((await closed)[0]).toBe(1006);
    await eventually(() => events.at(-1)?.type === "end", "the end is told");
    expect(events.at(-1)).not.toHaveProperty("code");
  });

  it.each(["client", "server"])(
    "holds the one side while the %s does not read",
    async (slow) => {
      const { client, far } = await throughProxy();
      const [reader, writer] = slow === "client" ? [client, far] : [far, client];
      let arrived = 0;
      reader.on("message", (data: Buffer) => {
        arrived += data.length;
      });
      reader.pause();
      const total = 64 * 1024 * 1024;
      for (let i = 0; i < 64; i++) writer.send(Buffer.alloc(total / 64));
      // what the kernel takes is a few megabytes on each side
      let before = -1;
      await eventually(async () => {
        await new Promise((resolve) => setTimeout(resolve, 200));
        const isStill = writer.bufferedAmount === before;
        before = writer.bufferedAmount;
        return isStill;
      }, "the writer is held");
      expect(writer.bufferedAmount).toBeGreaterThan(total / 4);
      reader.resume();
      await eventually(() => arrived === total, "everything arrives", 20_000);
    },
    40_000,
  );

  it("goes on when what it carries cannot be decoded, and says so once", async () => {
    const { client, far, events } = await throughProxy("/api/v2/workspaceagents/me/rpc");
    const seen: string[] = [];
    far.on("message", (data) => seen.push(data.toString()));
    client.send(Buffer.from("no yamux at all"));
    client.send(Buffer.from("nor here"));
    await eventually(() => seen.length === 2, "both arrive");
    expect(seen).toEqual(["no yamux at all", "nor here"]);
    expect(events.filter(({ type }) => type === "broken")).toHaveLength(1);
  });
});

describe("an upgrade that is refused", () => {
  it("is refused with the answer of the target", async () => {
    const plane = await controlPlane();
    const { proxy, events } = await proxied(plane.url);
    const direct = await dialAgent({ url: plane.url, token: "bad-token-bad-token" }).catch(
      (error: unknown) => error,
    );
    const through = await dialAgent({ url: proxy.url, token: "bad-token-bad-token" }).catch(
      (error: unknown) => error,
    );
    const facts = (error: unknown) => {
      const { status, reason, detail } = error as Record<string, unknown>;
      return { status, reason, detail };
    };
    expect(facts(direct)).toMatchObject({ status: 401 });
    expect(facts(through)).toEqual(facts(direct));
    expect(events).toMatchObject([{ type: "http", method: "GET", status: 401 }]);
    expect(JSON.stringify(events)).not.toContain("bad-token");
  });

  it("is refused with 502 where the target cannot be reached", async () => {
    const { proxy, events } = await proxied("http://127.0.0.1:1");
    await expect(dialAgent({ url: proxy.url, token })).rejects.toMatchObject({
      status: 502,
      reason: "agentwire inspect cannot reach http://127.0.0.1:1.",
    });
    expect(events).toMatchObject([
      { type: "http", status: 502, error: expect.stringContaining("ECONNREFUSED") },
    ]);
    expect((await fetch(`${proxy.url}/x`)).status).toBe(502);
  });
});

describe("other requests", () => {
  it("are passed on as they are, with their answers", async () => {
    const { url } = await httpServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      response.writeHead(201, "Made", { "X-Method": request.method, "Set-Cookie": ["a=1", "b=2"] });
      response.end(`${request.url} ${request.headers["x-own"]} ${Buffer.concat(chunks)}`);
    });
    const { proxy, events } = await proxied(url);
    const answer = await fetch(`${proxy.url}/a/b?c=d&access_token=very-secret`, {
      method: "PATCH",
      headers: { "X-Own": "1" },
      body: "the body",
    });
    expect([answer.status, answer.statusText]).toEqual([201, "Made"]);
    expect(answer.headers.get("x-method")).toBe("PATCH");
    expect(answer.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(await answer.text()).toBe("/a/b?c=d&access_token=very-secret 1 the body");
    expect(events).toMatchObject([
      { type: "http", method: "PATCH", target: "/a/b?c=d&access_token=[hidden]", status: 201 },
    ]);
  });

  it("end at the target when their client leaves", async () => {
    let left = false;
    const { url } = await httpServer((request, response) => {
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      response.write("data: 1\n\n");
      request.on("close", () => {
        left = true;
      });
    });
    const { proxy } = await proxied(url);
    const client = new AbortController();
    const answer = await fetch(proxy.url, { signal: client.signal });
    const reader = answer.body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("data: 1\n\n");
    client.abort();
    await eventually(() => left, "the target knows");
  });
});

describe("a session of ours through the proxy", () => {
  it("works, and is told call by call", async () => {
    const plane = await controlPlane({ environment: { EDITOR: "vi-very-own" } });
    const { proxy, events } = await proxied(plane.url);
    const connection = await dialled({ url: proxy.url }, { role: "tester" });
    const manifest = await connection.agent.getManifest({});
    expect(manifest.environmentVariables).toEqual({ EDITOR: "vi-very-own" });
    await expect(connection.agent.updateAppStatus({ slug: "none" })).rejects.toThrow();
    for await (const _map of connection.tailnet.streamDERPMaps({})) break;
    await connection.close();
    await eventually(() => events.at(-1)?.type === "end", "the end is told");
    const ends = events.flatMap((event) => (event.type === "rpc-end" ? `${event.rpc} ${event.code}` : []));
    expect(ends).toEqual([
      "/coder.agent.v2.Agent/GetManifest ok",
      "/coder.agent.v2.Agent/UpdateAppStatus unknown",
      "/coder.tailnet.v2.Tailnet/StreamDERPMaps canceled",
    ]);
    expect(events.find(({ type }) => type === "open")).toMatchObject({
      target: "/api/v2/workspaceagents/me/rpc?role=tester&version=2.10",
      headers: { "coder-session-token": "[hidden]" },
    });
    expect(events.at(-1)).toMatchObject({ code: 1000 });
    expect(events.filter(({ type }) => type === "broken")).toEqual([]);
    const told = JSON.stringify(events);
    expect(told).not.toContain(token);
    expect(told).not.toContain("vi-very-own");
  });

  it("shows secrets where that is wanted", async () => {
    const plane = await controlPlane({ environment: { EDITOR: "vi-very-own" } });
    const { proxy, events } = await proxied(plane.url, { showSecrets: true });
    const connection = await dialled({ url: proxy.url });
    await connection.agent.getManifest({});
    const told = JSON.stringify(events);
    expect(told).toContain(token);
    expect(told).toContain("vi-very-own");
  });
});
