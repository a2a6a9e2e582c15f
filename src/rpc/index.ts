/**
 * dRPC: calls as a Connect `Transport`, and handlers of a Connect router, each on a stream.
 */

export type { CallStream, CallTurn } from "./call-stream.js";
export type { CallHooks, FailedCall } from "./client.js";
export { createServiceClient } from "./client.js";
export type { ConversationSource, ConversationSourceOptions } from "./conversation-source.js";
export { createConversationSource } from "./conversation-source.js";
export type { RpcErrorFacts, RpcErrorLayer } from "./errors.js";
export { isUnimplemented, RpcError } from "./errors.js";
export { goQuote } from "./go-quote.js";
export { metadataKey, timeoutKey } from "./metadata.js";
export type { RegisteredMethod, Routes, RpcTable } from "./router.js";
export { createRpcTable } from "./router.js";
export type { ServeOptions } from "./server-conversation.js";
export { serveStream } from "./server-conversation.js";
export type { DrpcTransportOptions, StreamSource } from "./transport.js";
export { createDrpcTransport } from "./transport.js";
