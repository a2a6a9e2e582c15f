import type { Interceptor } from "@connectrpc/connect";
import type { ConnectionObserver, YamuxOptions } from "../../transport/index.js";
import type { ApiVersionText } from "../../version/index.js";
import type { ShimChoice } from "../compat/shims/index.js";
import type { TokenSource } from "../tokens/token-source.js";

/** `"negotiate"`, or a version that the connection is typed to. */
export type VersionChoice = ApiVersionText | "negotiate";

/** How any endpoint of a control plane is dialled. */
export interface EndpointOptions {
  /** The control plane: `https://host`, `http://…`, `wss://…` or `ws://…`. A path in it is kept as a prefix. */
  url: string | URL;

  /** The token of whoever dials. It is never part of an error. */
  token: TokenSource;

  /**
   * Ends the attempt, from the first packet to the answer of the first ping, unless it is done by then. 30,000 by
   * default.
   */
  openTimeoutMs?: number;

  /** Ends the attempt. */
  signal?: AbortSignal;

  /** More headers for the upgrade. Where the runtime's WebSocket cannot send headers this is an error. */
  headers?: Readonly<Record<string, string>>;

  /** As with every Connect transport: the first is the outermost. */
  interceptors?: Interceptor[];

  /** Largest message of a call in bytes, both ways; 4 MiB by default, which is what the reference peers take. */
  maxMessageBytes?: number;

  /** Deadline of calls that have none of their own. None by default. */
  defaultTimeoutMs?: number;

  /** Largest WebSocket message to accept, in bytes; 16 MiB by default. */
  maxWebSocketMessageBytes?: number;

  /** The multiplexer: windows, limits, keepalive. */
  yamux?: YamuxOptions;

  /** Looks on at each connection: see `observing` in `agentwire/observe`. None by default, which costs nothing. */
  observer?: ConnectionObserver | undefined;
}

/** How to dial as an agent, or beside one. */
export interface DialOptions<V extends VersionChoice = VersionChoice> extends EndpointOptions {
  /** The agent's token. It is never part of an error. */
  token: TokenSource;

  /**
   * The version of the API to ask for. `"negotiate"`, the default, dials the newest known and, when the server
   * names an older one, dials once more with that. A fixed version gives a client without the methods that came
   * later.
   */
  version?: V;

  /**
   * What this connection is. `"agent"`, the default, makes the agent look connected and disconnected; any other
   * role never touches that: give your tool one of its own, such as `"my-log-streamer"`.
   */
  role?: string;

  /**
   * Whether calls of RPCs that the server does not have go an older way, where there is one: `false` for never, or
   * `{ logsOverHttp: false }` for all but some. A call without an older way fails with `UnsupportedByServerError`.
   */
  shims?: ShimChoice;

  /**
   * Makes the requests beside the connection, for shims over HTTP; the runtime's own by default, and on Node
   * `nodeFetch`, which goes by `proxy` and `tls`.
   */
  fetch?: typeof fetch | undefined;
}

/** How Node opens WebSockets, which no other runtime lets one say. */
export interface NodeSocketOptions {
  /**
   * A proxy's URL; `false` for none. By default `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` of the environment decide.
   * For the connection, and for the requests beside it.
   */
  proxy?: string | false;

  /** Certificates: of the authority, and of this client. As in `node:tls`; for the requests beside the connection too. */
  tls?: {
    ca?: string | Buffer | (string | Buffer)[];
    cert?: string | Buffer;
    key?: string | Buffer;
    servername?: string;
    /** Whether to accept a server without a valid certificate; true by default. Turn it off in tests only. */
    rejectUnauthorized?: boolean;
  };
}

/** How to dial from Node. */
export interface NodeDialOptions<V extends VersionChoice = VersionChoice>
  extends DialOptions<V>,
    NodeSocketOptions {}

/** What only runtimes need whose WebSocket sends no headers and shows no answer: browsers and some workers. */
export interface WebSocketOptions {
  /** Where the token goes: in the query (the default), or in a cookie that the runtime has already. */
  tokenIn?: "query" | "cookie";
}

/** How to dial from a browser. */
export interface WebDialOptions<V extends VersionChoice = VersionChoice>
  extends DialOptions<V>,
    WebSocketOptions {}
