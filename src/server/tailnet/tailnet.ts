import type { DERPMap } from "../../gen/coder/tailnet/v2/tailnet_pb.js";
import type { AgentStore } from "../../store/index.js";
import type { Events } from "../events/index.js";
import type { Logger } from "../hooks.js";
import type { Coordinator } from "./coordinator.js";
import { LocalCoordinator } from "./local-coordinator.js";

/** How the private network between agents and their clients is coordinated. */
export interface TailnetOptions {
  /**
   * Who knows whom; by default a `LocalCoordinator`, for one process. Whoever makes one closes it, after the API.
   */
  coordinator?: Coordinator;
}

/** What the parts of the tailnet are made with. */
export interface TailnetInit {
  store: AgentStore;
  events: Events;
  log: Logger;
  /** Microseconds since 1970. */
  nowUs: () => number;
  derpMap: () => DERPMap;
}

/** What the handlers of the tailnet service work with. */
export interface TailnetDeps extends TailnetInit {
  coordinator: Coordinator;
  /** Ends what goes on beside the calls. */
  close(): Promise<void>;
}

/** The parts of the tailnet, ready for calls. */
export function createTailnet(options: TailnetOptions, init: TailnetInit): TailnetDeps {
  const { coordinator = new LocalCoordinator() } = options;
  return {
    ...init,
    coordinator,
    async close() {
      if (options.coordinator === undefined) await coordinator.close();
    },
  };
}
