import type { AgentStore, TelemetryRecord } from "../../store/index.js";
import type { Events } from "../events/index.js";
import type { Logger } from "../hooks.js";
import type { DerpMapSource } from "./derp/derp-map-source.js";
import { TelemetryBatch, type TelemetrySink } from "./telemetry-batch.js";

/** How the private network between agents and their clients is coordinated. */
export interface TailnetOptions {
  /** Where events of network clients go; by default into the store. */
  telemetry?: TelemetrySink;
}

/** What the parts of the tailnet are made with. */
export interface TailnetInit {
  store: AgentStore;
  events: Events;
  log: Logger;
  /** Microseconds since 1970. */
  nowUs: () => number;
  derpMap: DerpMapSource;
}

/** What the handlers of the tailnet service work with. */
export interface TailnetDeps extends TailnetInit {
  /** Events of network clients on their way. */
  telemetry: TelemetryBatch;
  /** Ends what goes on beside the calls. */
  close(): Promise<void>;
}

/** The parts of the tailnet, ready for calls. */
export function createTailnet(options: TailnetOptions, init: TailnetInit): TailnetDeps {
  const storing = { send: (records: readonly TelemetryRecord[]) => init.store.insertTelemetry(records) };
  const telemetry = new TelemetryBatch({ ...init, sink: options.telemetry ?? storing });
  return {
    ...init,
    telemetry,
    async close() {
      await telemetry.close();
    },
  };
}
