import { describe, expect, it } from "vitest";
import { natsServersOf } from "../../../src/server/events/nats-url.js";

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
