import type { DERPMap } from "../../gen/coder/tailnet/v2/tailnet_pb.js";
import type { AgentStore } from "../../store/index.js";
import type { Events } from "../events/index.js";
import type { Logger } from "../hooks.js";

/** How the private network between agents and their clients is coordinated. */
export type TailnetOptions = Record<never, never>;

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
  /** Ends what goes on beside the calls. */
  close(): Promise<void>;
}

/** The parts of the tailnet, ready for calls. */
export function createTailnet(_options: TailnetOptions, init: TailnetInit): TailnetDeps {
  return {
    ...init,
    async close() {},
  };
}
