import { describe, expect, it } from "vitest";
import { type ConnectionEvent, type Direction, observing } from "../../src/observe/index.js";
import {
  type ConnectionReceiver,
  createMemoryPair,
  createYamuxSession,
  type TransportError,
} from "../../src/transport/index.js";
import { dialled, eventually } from "../support/control-plane.js";
import { testPlane } from "../support/test-plane.js";

/** What both ends see alike, of one direction: not when, and not the frames, of which the last may still be under way. */
function alike(events: readonly ConnectionEvent[], direction: Direction) {
  return events
    .filter((event) => event.type === "packet" || event.type === "rpc-message")
    .filter((event) => event.direction === direction)
    .map(({ time: _time, ...facts }) => facts);
}

describe("an observer", () => {
  it("is told the same at both ends of a connection", async () => {
    const client: ConnectionEvent[] = [];
    const server: ConnectionEvent[] = [];
    const plane = await testPlane({ observer: observing((event) => server.push(event)) });
    const connection = await dialled(plane.agent, {
      observer: observing((event) => client.push(event)),
      role: "tester",
    });
    await connection.agent.getManifest({});
    await expect(connection.agent.updateAppStatus({ slug: "none" })).rejects.toThrow();
    await connection.close();
    await plane.waitFor("both ends", () => [client, server].every((seen) => seen.at(-1)?.type === "end"));
    for (const direction of ["to-server", "to-client"] as const) {
      expect(alike(client, direction).length).toBeGreaterThan(2);
      expect(alike(client, direction)).toEqual(alike(server, direction));
    }
    const ends = client.flatMap((event) => (event.type === "rpc-end" ? `${event.rpc} ${event.code}` : []));
    expect(ends).toEqual([
      "/coder.agent.v2.Agent/GetManifest ok",
      "/coder.agent.v2.Agent/UpdateAppStatus unknown",
    ]);
    expect(client.at(-1)).toMatchObject({ type: "end", code: 1000, direction: "to-server" });
    expect(server.at(-1)).toMatchObject({ type: "end", code: 1000, direction: "to-server" });
    expect(JSON.stringify([client, server])).not.toContain(plane.agent.token);
  });

  it("numbers the connections that it sees", async () => {
    const events: ConnectionEvent[] = [];
    const observer = observing((event) => events.push(event));
    const plane = await testPlane();
    for (let i = 0; i < 2; i++) await (await dialled(plane.agent, { observer })).close();
    expect(events.flatMap(({ type, connection }) => (type === "open" ? connection : []))).toEqual([1, 2]);
  });

  it("that throws does not disturb what it looks at", async () => {
    const plane = await testPlane();
    const observer = observing(() => {
      throw new Error("no");
    });
    const connection = await dialled(plane.agent, { observer });
    expect(await connection.agent.getManifest({})).toMatchObject({ agentName: "main" });
  });

  it("leaves pauses, back-pressure and the end to the connection", async () => {
    const [near, far] = createMemoryPair();
    const observed = observing(() => {})(near, "client");
    const seen: string[] = [];
    let end: TransportError | undefined;
    const receiver = (onBytes: (bytes: Uint8Array) => void): ConnectionReceiver => ({
      onBytes,
      onDrain: () => seen.push("drain"),
      onEnd: (how) => {
        end ??= how;
      },
    });
    observed.attach(receiver((bytes) => seen.push(`came ${bytes.length}`)));
    observed.pauseReading();
    far.write(new Uint8Array(3));
    observed.write(new Uint8Array(5));
    expect(observed.bufferedBytes).toBe(5);
    far.attach(receiver(() => {}));
    await eventually(() => seen.includes("drain"), "the drain");
    expect(seen).toEqual(["drain"]);
    observed.resumeReading();
    await eventually(() => seen.includes("came 3"), "the bytes");
    far.close(1001, "restart");
    await eventually(() => end !== undefined, "the end");
    expect(end).toMatchObject({ code: "closed-by-peer", closeCode: 1001 });
  });

  it("works on a session of one's own", async () => {
    const events: ConnectionEvent[] = [];
    const [near, far] = createMemoryPair();
    const client = createYamuxSession(observing((event) => events.push(event))(near, "client"), {
      role: "client",
    });
    const server = createYamuxSession(far, { role: "server" });
    await client.ping();
    await client.close();
    await server.close();
    expect(
      events.flatMap((event) => (event.type === "frame" ? `${event.direction} ${event.frame}` : [])),
    ).toEqual(expect.arrayContaining(["to-server ping", "to-client ping"]));
  });
});
