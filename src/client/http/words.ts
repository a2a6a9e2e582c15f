import {
  UpdateAppStatusRequest_AppStatusState as AppStatusState,
  Log_Level as LogLevel,
} from "../../gen/coder/agent/v2/agent_pb.js";

const levels: ReadonlyMap<LogLevel, string> = new Map([
  [LogLevel.TRACE, "trace"],
  [LogLevel.DEBUG, "debug"],
  [LogLevel.INFO, "info"],
  [LogLevel.WARN, "warn"],
  [LogLevel.ERROR, "error"],
]);

const states: ReadonlyMap<AppStatusState, string> = new Map([
  [AppStatusState.WORKING, "working"],
  [AppStatusState.IDLE, "idle"],
  [AppStatusState.COMPLETE, "complete"],
  [AppStatusState.FAILURE, "failure"],
]);

/** A level in the words of the HTTP API; undefined for one that there is not. C1.51. */
export function logLevelWord(level: LogLevel): string | undefined {
  return levels.get(level);
}

/** The state of an app in the words of the HTTP API; undefined for one that there is not. C1.52. */
export function appStatusWord(state: AppStatusState): string | undefined {
  return states.get(state);
}
