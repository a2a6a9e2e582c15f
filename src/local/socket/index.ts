/** The agent socket, both sides of it. */
export type { AgentSocketOptions, AgentSocketServer, AppStatusClient } from "./agent-socket.js";
export { createAgentSocket } from "./agent-socket.js";
export type {
  ContextResourceKind,
  ContextResourceStatusText,
  ContextService,
  ContextSnapshot,
  ContextSnapshotResource,
} from "./context-service.js";
export type { AgentSocketConnection, DialAgentSocketOptions } from "./dial-agent-socket.js";
export { dialAgentSocket } from "./dial-agent-socket.js";
export { defaultAgentSocketPath } from "./socket-path.js";
