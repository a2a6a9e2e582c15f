/**
 * For tests of agents and of tools beside them: a control plane in the test's own process that says what has come to
 * it and fails when it is told to (`startTestPlane`), and a clock that a test moves (`FakeClock`). It needs no test
 * runner, and works in each.
 */

export type { AgentStatus } from "../server/agent-status.js";
export { ApiError } from "../server/api-error.js";
export type {
  AgentDefinition,
  AppState,
  LifecycleState,
  StatsRecord,
  WorkspaceDefinition,
} from "../store/index.js";
export type {
  AnswerFunction,
  AnswerOf,
  RequestOf,
  RpcName,
  TestCall,
  UnaryRpcName,
} from "./calls.js";
export type { Clock } from "./clock.js";
export type { TestDial } from "./dials.js";
export type { FakeClockOptions } from "./fake-clock.js";
export { FakeClock } from "./fake-clock.js";
export type { TestAgent, TestAppStatus, TestMetadata } from "./test-agent.js";
export type { TestPlane, TestPlaneOptions } from "./test-plane.js";
export { startTestPlane } from "./test-plane.js";
export type { WaitOptions } from "./wait.js";
