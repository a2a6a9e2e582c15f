import { describe, expect, it, vi } from "vitest";
import { silentLogger } from "../../../src/server/hooks.js";
import { desktopTelemetryOf } from "../../../src/server/tailnet/desktop-telemetry.js";

function read(header: string | string[] | undefined) {
  const warn = vi.fn();
  const facts = desktopTelemetryOf(header, { ...silentLogger, warn });
  return { facts, warnings: warn.mock.calls.length };
}

describe("S4.31 the header Coder-Desktop-Telemetry", () => {
  it("has the fields that are not empty", () => {
    const all = { device_id: "d", device_os: "macOS", coder_desktop_version: "1.2.3", more: 1 };
    expect(read(JSON.stringify(all))).toEqual({
      facts: { deviceId: "d", deviceOs: "macOS", desktopVersion: "1.2.3" },
      warnings: 0,
    });
    expect(read('{"device_id":"","device_os":null}')).toEqual({ facts: {}, warnings: 0 });
    expect(read(['{"device_id":"d"}']).facts).toEqual({ deviceId: "d" });
  });

  it.each([undefined, "", "{}"])("may have nothing: %j", (header) => {
    expect(read(header)).toEqual({ facts: {}, warnings: 0 });
  });

  it.each(["{", "[]", "1", '{"device_id":1}', '"x"'])("is only logged when it is malformed: %j", (header) => {
    expect(read(header)).toEqual({ facts: {}, warnings: 1 });
  });
});
