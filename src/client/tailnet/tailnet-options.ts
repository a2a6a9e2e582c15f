import type {
  EndpointOptions,
  NodeSocketOptions,
  VersionChoice,
  WebSocketOptions,
} from "../dial/dial-options.js";
import type { TokenSource } from "../tokens/token-source.js";

/** The version that is dialled for the tailnet service by default: nothing of it came later. C1.21. */
export type TailnetVersionText = "2.3";

/** How to dial the tailnet service as a user. */
export interface TailnetDialOptions<V extends VersionChoice = VersionChoice> extends EndpointOptions {
  /** The user's session token. It is never part of an error. */
  token: TokenSource;

  /**
   * The version of the API to ask for; `"2.3"` by default, which has all of the tailnet service. `"negotiate"` dials
   * the newest known and, when the server names an older one, dials once more with that.
   */
  version?: V;

  /**
   * The one agent that the connection is for: its own endpoint is dialled, where the user needs no right to any other.
   * By default the connection is for all agents of workspaces that the user may reach. S4.28, S4.35.
   */
  agentId?: string;

  /** From `refreshResumeToken` of an earlier connection: this one has the same peer id then. It is never part of an error. */
  resumeToken?: string;
}

/** How to dial the tailnet service from Node. */
export interface NodeTailnetDialOptions<V extends VersionChoice = VersionChoice>
  extends TailnetDialOptions<V>,
    NodeSocketOptions {}

/** How to dial the tailnet service from a browser. */
export interface WebTailnetDialOptions<V extends VersionChoice = VersionChoice>
  extends TailnetDialOptions<V>,
    WebSocketOptions {}
