import {
  UpdateAppStatusRequest_AppStatusState as AppStatusState,
  Log_Level as LogLevel,
} from "../../gen/coder/agent/v2/agent_pb.js";

/** Levels by their words of the HTTP API. C1.51. */
export const logLevels = {
  trace: LogLevel.TRACE,
  debug: LogLevel.DEBUG,
  info: LogLevel.INFO,
  warn: LogLevel.WARN,
  error: LogLevel.ERROR,
} as const;

/** States of apps by their words of the HTTP API. C1.52. */
export const appStatusStates = {
  working: AppStatusState.WORKING,
  idle: AppStatusState.IDLE,
  complete: AppStatusState.COMPLETE,
  failure: AppStatusState.FAILURE,
} as const;

const levelWords = wordsOf<LogLevel>(logLevels);
const stateWords = wordsOf<AppStatusState>(appStatusStates);

/** A level in the words of the HTTP API; undefined for one that there is not. */
export function logLevelWord(level: LogLevel): string | undefined {
  return levelWords.get(level);
}

/** The state of an app in the words of the HTTP API; undefined for one that there is not. */
export function appStatusWord(state: AppStatusState): string | undefined {
  return stateWords.get(state);
}

function wordsOf<T>(values: Readonly<Record<string, T>>): ReadonlyMap<T, string> {
  return new Map(Object.entries(values).map(([word, value]) => [value, word]));
}
