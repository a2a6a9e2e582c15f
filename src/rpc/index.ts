/**
 * dRPC: calls as a Connect `Transport`, and handlers of a Connect router, each on a stream.
 */

export type { CallStream, CallTurn } from "./caller/call-stream.js";
export type { CallHooks, FailedCall } from "./caller/client.js";
export { createServiceClient } from "./caller/client.js";
export type { ConversationSource, ConversationSourceOptions } from "./caller/conversation-source.js";
export { createConversationSource } from "./caller/conversation-source.js";
export type { DrpcTransportOptions, StreamSource } from "./caller/transport.js";
export { createDrpcTransport } from "./caller/transport.js";
export type { RpcErrorFacts, RpcErrorLayer } from "./errors.js";
export { isUnimplemented, RpcError } from "./errors.js";
export { goQuote } from "./go-quote.js";
export type { RegisteredMethod, Routes, RpcTable } from "./handler/router.js";
export { createRpcTable } from "./handler/router.js";
export type { ServeOptions } from "./handler/server-conversation.js";
export { serveStream } from "./handler/server-conversation.js";
export { metadataKey, timeoutKey } from "./metadata.js";
