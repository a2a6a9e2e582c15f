import { describe, expect, it } from "vitest";
import { backoffMs, loadOptional, within } from "../../../src/server/events/event-options.js";
import { natsServersOf } from "../../../src/server/events/nats-url.js";

describe("an optional package", () => {
  it("that is missing is named with the command that installs it", async () => {
    const missing = "agentwire-package-that-nobody-has";
    const loading = loadOptional("PostgreSQL", "pg", () => import(missing));
    await expect(loading).rejects.toThrow(
      /^Events over PostgreSQL need a package that is not installed: npm install pg$/,
    );
  });

  it("that is there and fails says why by itself", async () => {
    const failing = () => Promise.reject(new SyntaxError("on purpose"));
    await expect(loadOptional("NATS", "nats", failing)).rejects.toThrow(SyntaxError);
  });
});

describe("the pause before the next attempt", () => {
  it("is anywhere below a limit that doubles, and ends at the longest", () => {
    for (const [attempt, limit] of [
      [0, 100],
      [3, 800],
      [50, 10_000],
    ] as const) {
      const pauses = Array.from({ length: 500 }, () => backoffMs(attempt, 10_000));
      expect(Math.max(...pauses)).toBeLessThanOrEqual(limit);
      expect(Math.max(...pauses)).toBeGreaterThan(limit * 0.9);
      expect(Math.min(...pauses)).toBeLessThan(limit * 0.1);
    }
  });
});

describe("a wait", () => {
  it("ends", async () => {
    const never = new Promise<never>(() => undefined);
    await expect(within(never, 10, "an answer")).rejects.toThrow("an answer took longer than 10 ms");
    await expect(within(Promise.resolve(1), 10, "an answer")).resolves.toBe(1);
  });
});

describe("the URL of NATS", () => {
  it.each([
    ["nats://127.0.0.1:4222", { servers: ["127.0.0.1:4222"] }],
    ["127.0.0.1:4222", { servers: ["127.0.0.1:4222"] }],
    ["nats://a:1,nats://b:2", { servers: ["a:1", "b:2"] }],
    ["nats://ada:pa%40ss@a:1", { servers: ["a:1"], user: "ada", pass: "pa@ss" }],
    ["nats://token@a:1", { servers: ["a:1"], token: "token" }],
    ["tls://a", { servers: ["a"], tls: {} }],
  ])("%s", (url, servers) => {
    expect(natsServersOf(url)).toEqual(servers);
  });

  it.each([
    "",
    "ws://ada:secret@a",
    "nats://ada:secret@",
    "nats://ada:secret@a:port",
    "nats://%ada:secret@ b",
  ])("%s cannot be read, and is not said", (url) => {
    const reading = () => natsServersOf(url);
    expect(reading).toThrow(/The URL of NATS cannot be read/);
    expect(reading).not.toThrow(/secret/);
  });
});
