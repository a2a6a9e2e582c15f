import type { DERPMap } from "../../gen/coder/tailnet/v2/tailnet_pb.js";
import type { AgentStore, SigningKeyStore } from "../../store/index.js";
import type { Events } from "../events/index.js";
import type { Logger } from "../hooks.js";
import type { Coordinator } from "./coordinator.js";
import { LocalCoordinator } from "./local-coordinator.js";
import { ResumeTokens, resumeTokenLifetimeMs, resumeTokenPurpose } from "./resume-tokens.js";
import { KeyRing, signingKeyStore } from "./signing-keys.js";

/** How the private network between agents and their clients is coordinated. */
export interface TailnetOptions {
  /**
   * Who knows whom; by default a `LocalCoordinator`, for one process. Whoever makes one closes it, after the API.
   */
  coordinator?: Coordinator;
  /**
   * Where the keys of resume tokens are kept, for servers that share clients; by default in the store, or in this
   * process when the store keeps none.
   */
  signingKeys?: SigningKeyStore;
  /** Whether only browsers may connect: programs of users are refused then. False by default. S4.28. */
  isBrowserOnly?(): boolean | Promise<boolean>;
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
  /** With these a client that dials again keeps its peer id. S4.29, S4.30. */
  resumeTokens: ResumeTokens;
  isBrowserOnly: () => boolean | Promise<boolean>;
  /** Ends what goes on beside the calls. */
  close(): Promise<void>;
}

/** The parts of the tailnet, ready for calls. */
export function createTailnet(options: TailnetOptions, init: TailnetInit): TailnetDeps {
  const { coordinator = new LocalCoordinator() } = options;
  const keyRing = new KeyRing(signingKeyStore(options.signingKeys, init.store), {
    purpose: resumeTokenPurpose,
    signatureLifetimeMs: resumeTokenLifetimeMs,
  });
  return {
    ...init,
    coordinator,
    resumeTokens: new ResumeTokens(keyRing, init.nowUs),
    isBrowserOnly: () => options.isBrowserOnly?.() ?? false,
    async close() {
      if (options.coordinator === undefined) await coordinator.close();
    },
  };
}
