/** What lives beside an agent on its machine. For Node. */

// the agent socket, and the units that wait for each other
export type {
  AgentSocketConnection,
  AgentSocketOptions,
  AgentSocketServer,
  AppStatusClient,
  ContextResourceKind,
  ContextResourceStatusText,
  ContextService,
  ContextSnapshot,
  ContextSnapshotResource,
  DialAgentSocketOptions,
} from "./socket/index.js";
export { createAgentSocket, defaultAgentSocketPath, dialAgentSocket } from "./socket/index.js";
export type { Unit, UnitDependency, UnitErrorCode, UnitGraphLimits, UnitStatus } from "./units/index.js";
export { notRegistered, UnitError, UnitGraph, unitStatusText } from "./units/index.js";
