import { describe, expect, it } from "vitest";
import { reachedAtOf } from "../../src/server/reached-at.js";

const at = (host: string | undefined, more: { isTls?: boolean; forwarded?: string } = {}) =>
  reachedAtOf({
    headers: {
      ...(host === undefined ? {} : { host }),
      ...(more.forwarded === undefined ? {} : { "x-forwarded-proto": more.forwarded }),
    },
    isTls: more.isTls ?? false,
  });

describe("where a caller reached the server", () => {
  it("is its Host, with the usual port of the protocol where it has none", () => {
    expect(at("example.com")).toEqual({ hostname: "example.com", port: 80, isTls: false });
    expect(at("example.com", { isTls: true })).toEqual({ hostname: "example.com", port: 443, isTls: true });
    expect(at("example.com:3400")).toMatchObject({ port: 3400 });
    expect(at("example.com:80", { isTls: true })).toMatchObject({ port: 80 });
    expect(at("[2001:db8::1]:3400")).toEqual({ hostname: "2001:db8::1", port: 3400, isTls: false });
    expect(reachedAtOf({ headers: { ":authority": "example.com" }, isTls: true })?.hostname).toBe(
      "example.com",
    );
  });

  it("has TLS where a proxy in front says so, and only then", () => {
    expect(at("example.com", { forwarded: "https" })).toMatchObject({ port: 443, isTls: true });
    expect(at("example.com", { forwarded: " HTTPS, http" })).toMatchObject({ isTls: true });
    expect(at("example.com", { forwarded: "http" })).toMatchObject({ port: 80, isTls: false });
    expect(at("example.com", { forwarded: "" })).toMatchObject({ isTls: false });
  });

  it.each([
    undefined,
    "",
    "a b",
    "ada@example.com",
    "example.com/path",
    "example.com:port",
    "example.com:99999",
    "[::1",
    "a?b",
    "é",
  ])("is not known from %j", (host) => {
    expect(at(host)).toBeUndefined();
  });
});
