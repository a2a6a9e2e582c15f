import { logLevelWord } from "../http/words.js";
import type { DatedLine } from "./log-line.js";
import { utf8ByteLength } from "./log-text.js";

/** A line in the JSON of `PATCH me/logs`. C1.42. */
export interface JsonLog {
  /** RFC 3339. */
  created_at: string;
  output: string;
  /** `trace`, `debug`, `info`, `warn` or `error`. */
  level: string;
}

/** A line as JSON; text that is no Unicode has U+FFFD in its place. C3.30. */
export function jsonLog({ output, level, createdAtMs }: DatedLine): JsonLog {
  return {
    created_at: new Date(createdAtMs).toISOString(),
    output: output.replace(/\p{Surrogate}/gu, "\uFFFD"),
    // without a level it is info
    level: logLevelWord(level) ?? "info",
  };
}

/** How many bytes a line has in a request, with its comma. */
export function jsonLogBytes(line: DatedLine): number {
  return utf8ByteLength(JSON.stringify(jsonLog(line))) + 1;
}
