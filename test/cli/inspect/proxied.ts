import { onTestFinished } from "vitest";
import { type InspectProxy, type ProxyOptions, startProxy } from "../../../src/cli/inspect/proxy.js";
import type { WireEvent } from "../../../src/observe/index.js";

/** A proxy before a server, and what it tells; it ends with the test. */
export async function proxied(
  target: string,
  options: Partial<ProxyOptions> = {},
): Promise<{ proxy: InspectProxy; events: WireEvent[] }> {
  const events: WireEvent[] = [];
  const proxy = await startProxy({
    host: "127.0.0.1",
    port: 0,
    target: new URL(target),
    showSecrets: false,
    onEvent: (event) => events.push(event),
    ...options,
  });
  onTestFinished(() => proxy.close());
  return { proxy, events };
}
