import { dialAgent } from "../src/client/agent/index.js";
import {
  UpdateAppStatusRequest_AppStatusState as AppState,
  type Manifest,
} from "../src/gen/coder/agent/v2/agent_pb.js";
import { formatVersion, newestVersion } from "../src/version/index.js";

/** What the page is on an agent's connection: never the agent itself. */
const pageRole = "agentwire-page";

/** What an app may say. */
const appStates = {
  working: AppState.WORKING,
  idle: AppState.IDLE,
  complete: AppState.COMPLETE,
  failure: AppState.FAILURE,
} as const;

/** A connection of this browser with the agent API. */
export interface DirectSession {
  /** The version of the API, such as `2.10`. */
  readonly version: string;
  /** Resolves with why, when the connection has ended. */
  readonly closed: Promise<string>;
  getManifest(): Promise<Manifest>;
  /** @returns the round trip in milliseconds. */
  ping(): Promise<number>;
  updateAppStatus(slug: string, state: keyof typeof appStates, message: string): Promise<void>;
  close(): Promise<void>;
}

const callTimeoutMs = 10_000;

/**
 * Dials the server that the page is from, over WebSocket, with an agent's token and a role of the page's own.
 * @param serverVersion the newest that the server speaks. One that is not the client's newest is negotiated.
 * @throws DialError when it is refused.
 */
export async function openDirectSession(token: string, serverVersion: string): Promise<DirectSession> {
  const isNewest = serverVersion === formatVersion(newestVersion);
  const connection = await dialAgent({
    url: location.origin,
    token,
    role: pageRole,
    // who asks first makes a request that is refused by design, which browsers report as an error
    version: isNewest ? "2.10" : "negotiate",
    defaultTimeoutMs: callTimeoutMs,
  });
  return {
    version: formatVersion(connection.version),
    closed: connection.closed.then(({ message }) => message),
    getManifest: () => connection.agent.getManifest({}),
    ping: () => connection.ping(),
    async updateAppStatus(slug, state, message) {
      await connection.agent.updateAppStatus({ slug, state: appStates[state], message });
    },
    close: () => connection.close(),
  };
}
