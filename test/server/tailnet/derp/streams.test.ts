import { equals } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { type DERPMap, DERPMapSchema } from "../../../../src/gen/coder/tailnet/v2/index_pb.js";
import type { DerpMapSource } from "../../../../src/server/index.js";
import { watchTimers } from "../../../leaks/live-things.js";
import { controlPlane, dialled, eventually } from "../../../support/control-plane.js";
import { adminToken, answered, follow, httpApi } from "../../../support/http-api.js";
import { derpMap } from "./maps.js";

/** A map that is what the test says, and who follows it. */
function testSource(first: DERPMap) {
  const listeners = new Set<(map: DERPMap) => void>();
  let current = first;
  const source: DerpMapSource = {
    get current() {
      return current;
    },
    subscribe(onChange) {
      listeners.add(onChange);
      return () => void listeners.delete(onChange);
    },
  };
  const set = (map: DERPMap) => {
    current = map;
    for (const listener of [...listeners]) listener(map);
  };
  return { source, set, listeners };
}

const hostOf = (map: DERPMap) => map.regions["7"]?.nodes[0]?.hostName;

/** Reads a stream, as it comes. */
function reading(stream: AsyncIterable<DERPMap>) {
  const maps: DERPMap[] = [];
  const ended = (async () => {
    for await (const map of stream) maps.push(map);
  })();
  ended.catch(() => {});
  return { maps, ended };
}

describe("S4.4 StreamDERPMaps", () => {
  it("has the map at once, and then only one that differs", async () => {
    const { source, set } = testSource(derpMap("a.example.com"));
    const { tailnet } = await dialled(await controlPlane({}, { derpMap: source }));
    const { maps } = reading(tailnet.streamDERPMaps({}));
    await eventually(() => maps.length === 1, "the first map");
    const same = derpMap("a.example.com");
    same.regions["7"]?.nodes.reverse();
    if (same.homeParams !== undefined) same.homeParams.regionScore = {};
    set(same);
    set(derpMap("b.example.com"));
    await eventually(() => maps.length > 1, "the next map");
    expect(maps.map(hostOf)).toEqual(["a.example.com", "b.example.com"]);
    expect(equals(DERPMapSchema, maps[0] as DERPMap, derpMap("a.example.com"))).toBe(true);
  });

  it("follows a function that gives another map", async () => {
    let hostName = "a.example.com";
    const plane = await controlPlane({}, { derpMap: () => derpMap(hostName) });
    const one = await dialled(plane);
    const { maps } = reading(one.tailnet.streamDERPMaps({}));
    await eventually(() => maps.length === 1, "the first map");
    hostName = "b.example.com";
    // whoever asks in between sees it, and so do those who follow
    expect((await one.agent.getManifest({})).derpMap?.regions["7"]?.nodes[0]?.hostName).toBe("b.example.com");
    await eventually(() => maps.length === 2, "the next map");
    expect(maps.map(hostOf)).toEqual(["a.example.com", "b.example.com"]);
  });

  it("a reader that is slow gets the newest only", async () => {
    const { source, set } = testSource(derpMap("0.example.com"));
    const { tailnet } = await dialled(await controlPlane({}, { derpMap: source }));
    const stream = tailnet.streamDERPMaps({})[Symbol.asyncIterator]();
    expect(hostOf((await stream.next()).value as DERPMap)).toBe("0.example.com");
    const sizeable = (name: string) => {
      const map = derpMap(name);
      const region = map.regions["7"];
      if (region !== undefined) region.regionName = name.padEnd(100_000);
      return map;
    };
    const count = 300;
    for (let i = 1; i <= count; i++) {
      set(sizeable(`${i}.example.com`));
      // each is seen by the stream before the next
      await new Promise((resolve) => setImmediate(resolve));
    }
    const got: (string | undefined)[] = [];
    while (got.at(-1) !== `${count}.example.com`) got.push(hostOf((await stream.next()).value as DERPMap));
    expect(got.length).toBeLessThan(count / 2);
    await stream.return?.();
  });

  it("streams that come and go in every way leave no listener and no timer", async () => {
    const timers = watchTimers();
    const { source, listeners } = testSource(derpMap());
    const plane = await controlPlane({}, { derpMap: source });
    for (let round = 0; round < 3; round++) {
      const connection = await dialled(plane);
      const calls = Array.from({ length: 20 }, () => new AbortController());
      const streams = calls.map(({ signal }) => reading(connection.tailnet.streamDERPMaps({}, { signal })));
      await eventually(() => streams.every(({ maps }) => maps.length === 1), "all first maps");
      expect(listeners.size).toBe(20);
      for (const call of calls.slice(0, 10)) call.abort();
      await eventually(() => listeners.size === 10, "the end of those that were aborted");
      await connection.close();
      await eventually(() => listeners.size === 0, "the end of all");
    }
    await plane.close();
    await eventually(() => timers().length === 0, "no timer is left");
  });

  it("many streams of a function share one timer, which goes with the last", async () => {
    const timers = watchTimers();
    const polls = () => timers().filter((made) => made.includes("derp-map-source")).length;
    const plane = await controlPlane({}, { derpMap: () => derpMap() });
    const connection = await dialled(plane);
    const streams = Array.from({ length: 20 }, () => reading(connection.tailnet.streamDERPMaps({})));
    await eventually(() => streams.every(({ maps }) => maps.length === 1), "all first maps");
    expect(polls()).toBe(1);
    await connection.close();
    await eventually(() => polls() === 0, "the end of the timer");
  });

  it("a function that has no map fails the call, with why", async () => {
    const plane = await controlPlane(
      {},
      {
        derpMap: () => {
          throw new Error("there are no relays yet");
        },
      },
    );
    const { tailnet } = await dialled(plane);
    await expect(reading(tailnet.streamDERPMaps({})).ended).rejects.toThrow("there are no relays yet");
  });
});

describe("C1.58 a relay that is built into the control plane", () => {
  it("is where this caller reached it: in manifest, stream and connection info", async () => {
    const { plane, get, agentId } = await httpApi({}, { derpMap: derpMap("x", { embeddedRelay: true }) });
    const port = Number(new URL(plane.url).port);
    const { agent, tailnet } = await dialled(plane);
    const here = { hostName: "127.0.0.1", derpPort: port, forceHttp: true };
    const expected = [
      { name: "7a", ...here },
      { name: "7b", ...here, ipv4: "192.0.2.7" },
      // what only answers STUN is no part of the control plane
      { name: "7stun", hostName: "x", derpPort: 443, forceHttp: false },
    ];
    expect((await agent.getManifest({})).derpMap?.regions["7"]?.nodes).toMatchObject(expected);
    const { maps } = reading(tailnet.streamDERPMaps({}));
    await eventually(() => maps.length === 1, "the map");
    expect(maps[0]?.regions["7"]?.nodes).toMatchObject(expected);
    const json = { HostName: "127.0.0.1", DERPPort: port, ForceHTTP: true };
    const info = { derp_map: { Regions: { "7": { Nodes: [json, json, { HostName: "x" }] } } } };
    expect((await get(`workspaceagents/${agentId}/connection`)).json).toMatchObject(info);
  });

  it("with TLS where the proxy in front has it, for that caller alone", async () => {
    const { plane, get } = await httpApi({}, { derpMap: derpMap("x", { embeddedRelay: true }) });
    const forwarded = await answered(`${plane.url}/api/v2/workspaceagents/connection`, {
      headers: { "Coder-Session-Token": adminToken, "X-Forwarded-Proto": "https" },
    });
    const [node] =
      (forwarded.json as { derp_map: { Regions: { "7": { Nodes: object[] } } } }).derp_map.Regions["7"]
        .Nodes ?? [];
    expect(node).toMatchObject({ HostName: "127.0.0.1", DERPPort: Number(new URL(plane.url).port) });
    expect(node).not.toHaveProperty("ForceHTTP");
    expect(JSON.stringify((await get("workspaceagents/connection")).json)).toContain('"ForceHTTP":true');
  });

  it("is nothing to regions that are not built in", async () => {
    const { agent } = await dialled(await controlPlane({}, { derpMap: derpMap("x") }));
    const map = (await agent.getManifest({})).derpMap;
    expect(map && equals(DERPMapSchema, map, derpMap("x"))).toBe(true);
  });
});

describe("S5.52 GET /api/v2/derp-map", () => {
  it("is for anyone: the map as JSON in binary messages, at once and when it differs", async () => {
    const { source, set, listeners } = testSource(derpMap("a.example.com"));
    const plane = await controlPlane({}, { derpMap: source });
    const { socket, messages } = await follow(plane, "derp-map", "");
    const areBinary: boolean[] = [];
    socket.on("message", (_data, isBinary) => areBinary.push(isBinary));
    await eventually(() => messages.length === 1, "the first map");
    set(derpMap("a.example.com"));
    set(derpMap("b.example.com"));
    await eventually(() => messages.length === 2, "the next map");
    expect(areBinary.at(-1)).toBe(true);
    expect(messages).toMatchObject([
      {
        HomeParams: { RegionScore: { "7": 0.5 } },
        Regions: { "7": { Nodes: [{ HostName: "a.example.com" }, {}, {}] } },
      },
      { Regions: { "7": { RegionID: 7, Nodes: [{ HostName: "b.example.com" }, {}, {}] } } },
    ]);
    expect(plane.api.streamCount).toBe(1);
    socket.close();
    await eventually(() => listeners.size === 0 && plane.api.streamCount === 0, "the end");
  });

  it("pings, and ends with the server", async () => {
    const plane = await controlPlane({}, { derpMap: derpMap(), streamPingIntervalMs: 20 });
    const { socket, closed } = await follow(plane, "derp-map", "");
    let pings = 0;
    socket.on("ping", () => pings++);
    await eventually(() => pings >= 3, "some pings");
    await plane.close();
    expect(await closed).toBe("1001 The server is closing.");
  });

  it("needs an upgrade", async () => {
    const plane = await controlPlane();
    expect((await answered(`${plane.url}/api/v2/derp-map`, {})).status).toBe(426);
  });

  it("followers that come and go leave no listener and no timer", async () => {
    const timers = watchTimers();
    const { source, listeners } = testSource(derpMap());
    const plane = await controlPlane({}, { derpMap: source, streamPingIntervalMs: 5 });
    for (let round = 0; round < 3; round++) {
      const followers = await Promise.all(Array.from({ length: 20 }, () => follow(plane, "derp-map", "")));
      await eventually(() => followers.every(({ messages }) => messages.length === 1), "all maps");
      for (const [i, { socket }] of followers.entries()) {
        if (i % 3 === 0) socket.send("hello");
        else if (i % 3 === 1) socket.close();
        else socket.terminate();
      }
      await eventually(() => plane.api.streamCount === 0, "the end of all");
      expect(listeners.size).toBe(0);
    }
    await plane.close();
    await eventually(() => timers().length === 0, "no timer is left");
  });
});

describe("a map that is given", () => {
  it("as a source is not closed by the API: whoever made it does that", async () => {
    let isClosed = false;
    const { source } = testSource(derpMap());
    const close = async () => {
      isClosed = true;
    };
    const plane = await controlPlane(
      {},
      { derpMap: { current: source.current, subscribe: source.subscribe, close } },
    );
    await plane.close();
    expect(isClosed).toBe(false);
  });
});
