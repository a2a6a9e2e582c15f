/** Connections that exist on Node: `ws` WebSockets, TCP and Unix sockets. */
export * from "./index.js";
export { dialSocket, socketConnection } from "./socket-node.js";
export { wsConnection } from "./ws-node.js";
