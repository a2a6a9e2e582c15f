import type { DERPMap } from "../../gen/coder/tailnet/v2/tailnet_pb.js";
import type { AgentStore, SigningKeyStore } from "../../store/index.js";
import type { Events } from "../events/index.js";
import type { Logger } from "../hooks.js";
import { ResumeTokens, resumeTokenLifetimeMs, resumeTokenPurpose } from "./resume-tokens.js";
import { KeyRing, signingKeyStore } from "./signing-keys.js";

/** How the private network between agents and their clients is coordinated. */
export interface TailnetOptions {
  /**
   * Where the keys of resume tokens are kept, for servers that share clients; by default in the store, or in this
   * process when the store keeps none.
   */
  signingKeys?: SigningKeyStore;
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
  /** With these a client that dials again keeps its peer id. S4.29, S4.30. */
  resumeTokens: ResumeTokens;
  /** Ends what goes on beside the calls. */
  close(): Promise<void>;
}

/** The parts of the tailnet, ready for calls. */
export function createTailnet(options: TailnetOptions, init: TailnetInit): TailnetDeps {
  const keyRing = new KeyRing(signingKeyStore(options.signingKeys, init.store), {
    purpose: resumeTokenPurpose,
    signatureLifetimeMs: resumeTokenLifetimeMs,
  });
  return {
    ...init,
    resumeTokens: new ResumeTokens(keyRing, init.nowUs),
    async close() {},
  };
}
