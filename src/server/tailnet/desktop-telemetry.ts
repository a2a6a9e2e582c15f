import { z } from "zod";
import type { Logger } from "../hooks.js";
import type { DesktopTelemetry } from "./telemetry-batch.js";

/** The header in which a desktop client says what it is. S4.31. */
export const desktopTelemetryHeader = "coder-desktop-telemetry";

const headerSchema = z.object({
  device_id: z.string().nullish(),
  device_os: z.string().nullish(),
  coder_desktop_version: z.string().nullish(),
});

/**
 * What a desktop client says of itself in the header `Coder-Desktop-Telemetry`: the fields that are not empty.
 * @param header the header as Node has it.
 * @param log told of a header that is malformed; it counts as none. S4.31.
 */
export function desktopTelemetryOf(header: string | string[] | undefined, log: Logger): DesktopTelemetry {
  const text = Array.isArray(header) ? header[0] : header;
  if (text === undefined || text === "") return {};
  const { data } = headerSchema.safeParse(jsonOf(text));
  if (data === undefined) {
    log.warn("the header Coder-Desktop-Telemetry is malformed");
    return {};
  }
  const { device_id: deviceId, device_os: deviceOs, coder_desktop_version: desktopVersion } = data;
  return {
    ...(deviceId ? { deviceId } : {}),
    ...(deviceOs ? { deviceOs } : {}),
    ...(desktopVersion ? { desktopVersion } : {}),
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
