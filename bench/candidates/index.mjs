/**
 * What a client of a candidate can do, whatever it is made of.
 *
 * @typedef {object} EchoClient
 * @property {(payload: Uint8Array) => Promise<{ payload: Uint8Array }>} unary
 * @property {(payload: Uint8Array, count: number, onPayload: (payload: Uint8Array) => void) => Promise<void>} [stream]
 * where it has streams
 */

/**
 * A client or a server. In `candidates/STACK/` there are, for Node, `client.mjs` with `connect(port, variant)`, which
 * gives an {@link EchoClient}, and `server.mjs` with `createServer(variant)`, which gives a server that does not listen
 * yet, or `listen()`, which gives a port.
 *
 * @typedef {{ runtime: "node", stack: string, variant?: string } | { runtime: "go" }} Side
 */

/**
 * @typedef {object} Candidate
 * @property {string} name
 * @property {string} title
 * @property {Side} client
 * @property {Side} server
 * @property {boolean} [isWebSocket] one WebSocket, whose messages can be counted
 * @property {boolean} [isWireStack] dRPC over yamux over WebSocket, so that the Go pair is its measure too
 * @property {boolean} [hasNoStreams] it makes unary calls only
 * @property {string[]} [libraries] what a client on Node imports
 */

/**
 * @param {string} stack
 * @param {string} [variant]
 * @returns {Side}
 */
const node = (stack, variant) => ({ runtime: "node", stack, ...(variant === undefined ? {} : { variant }) });

/** @type {Side} */
const go = { runtime: "go" };

/** The two that others are compared with. */
export const baseName = "grpc-js";
export const goPairName = "go";

const agentwireLibraries = ["agentwire/client"];
const connectLibraries = ["@connectrpc/connect", "@connectrpc/connect-node"];

/** @type {readonly Candidate[]} */
export const candidates = [
  {
    name: "agentwire",
    title: "agentwire",
    client: node("agentwire"),
    server: node("agentwire"),
    isWebSocket: true,
    isWireStack: true,
    libraries: agentwireLibraries,
  },
  {
    name: "agentwire-1m",
    title: "agentwire, windows of 1 MiB",
    client: node("agentwire", "1m"),
    server: node("agentwire", "1m"),
    isWebSocket: true,
    isWireStack: true,
    libraries: agentwireLibraries,
  },
  {
    name: baseName,
    title: "@grpc/grpc-js",
    client: node("grpc-js"),
    server: node("grpc-js"),
    libraries: ["@grpc/grpc-js", "@bufbuild/protobuf"],
  },
  {
    name: "connect-h2-grpc",
    title: "connect-node, gRPC over HTTP/2",
    client: node("connect", "h2-grpc"),
    server: node("connect", "h2-grpc"),
    libraries: connectLibraries,
  },
  {
    name: "connect-h2",
    title: "connect-node, Connect over HTTP/2",
    client: node("connect", "h2-connect"),
    server: node("connect", "h2-connect"),
    libraries: connectLibraries,
  },
  {
    name: "connect-h1",
    title: "connect-node, Connect over HTTP/1.1",
    client: node("connect", "h1-connect"),
    server: node("connect", "h1-connect"),
    libraries: connectLibraries,
  },
  {
    name: "ws",
    title: "bare ws, no codec",
    client: node("ws"),
    server: node("ws"),
    isWebSocket: true,
    libraries: ["ws"],
  },
  {
    name: "ws-joined",
    title: "bare ws, calls of a turn in one message",
    client: node("ws-joined"),
    server: node("ws-joined"),
    isWebSocket: true,
    hasNoStreams: true,
    libraries: ["ws"],
  },
  {
    name: goPairName,
    title: "Go client, Go server",
    client: go,
    server: go,
    isWebSocket: true,
    isWireStack: true,
  },
  {
    name: "agentwire-go",
    title: "agentwire client, Go server",
    client: node("agentwire"),
    server: go,
    isWebSocket: true,
    isWireStack: true,
    libraries: agentwireLibraries,
  },
  {
    name: "go-agentwire",
    title: "Go client, agentwire server",
    client: go,
    server: node("agentwire"),
    isWebSocket: true,
    isWireStack: true,
  },
];
