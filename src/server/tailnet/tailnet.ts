import type { AgentStore, SigningKeyStore, TelemetryRecord } from "../../store/index.js";
import type { Events } from "../events/index.js";
import type { Logger } from "../hooks.js";
import type { Coordinator } from "./coordinator.js";
import type { DerpMapSource } from "./derp/derp-map-source.js";
import { LastingStreams } from "./lasting-streams.js";
import { LocalCoordinator } from "./local-coordinator.js";
import { ResumeTokens, resumeTokenLifetimeMs, resumeTokenPurpose } from "./resume-tokens.js";
import { KeyRing, signingKeyStore } from "./signing-keys.js";
import { TelemetryBatch, type TelemetrySink } from "./telemetry-batch.js";

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
  coordinator: Coordinator;
  /** With these a client that dials again keeps its peer id. S4.29, S4.30. */
  resumeTokens: ResumeTokens;
  isBrowserOnly: () => boolean | Promise<boolean>;
  /** Events of network clients on their way. */
  telemetry: TelemetryBatch;
  /** Calls that end with their connection, or before the server closes. */
  streams: LastingStreams;
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
  const storing = { send: (records: readonly TelemetryRecord[]) => init.store.insertTelemetry(records) };
  const telemetry = new TelemetryBatch({ ...init, sink: options.telemetry ?? storing });
  return {
    ...init,
    coordinator,
    resumeTokens: new ResumeTokens(keyRing, init.nowUs),
    isBrowserOnly: () => options.isBrowserOnly?.() ?? false,
    telemetry,
    streams: new LastingStreams(),
    async close() {
      if (options.coordinator === undefined) await coordinator.close();
      await telemetry.close();
    },
  };
}
