import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Log_Level, type LogSchema } from "../../gen/coder/agent/v2/agent_pb.js";

/** One line of a log. */
export interface LogLine {
  output: string;
  /** INFO by default. */
  level?: Log_Level;
  /** When it is queued by default. */
  createdAt?: Date;
}

/** A line with nothing left to say. */
export interface DatedLine {
  output: string;
  level: Log_Level;
  createdAtMs: number;
}

/** The years 1 to 9999, which is what a protobuf timestamp can be. */
const minTimeMs = -62_135_596_800_000;
const maxTimeMs = 253_402_300_799_999;

/**
 * Fills in level and time. A line whose level or time cannot be sent becomes an ERROR line that says so, as the
 * server would refuse the whole batch for it. C3.8.
 */
export function datedLine({ output, level = Log_Level.INFO, createdAt }: LogLine): DatedLine {
  const createdAtMs = createdAt === undefined ? Date.now() : createdAt.getTime();
  const isTime = createdAtMs >= minTimeMs && createdAtMs <= maxTimeMs;
  if (isTime && Log_Level[level] !== undefined) return { output, level, createdAtMs };
  return {
    output: "**Coder Internal Error**: Failed to convert log",
    level: Log_Level.ERROR,
    createdAtMs: Date.now(),
  };
}

/** A line as BatchCreateLogs has it. C3.14. */
export function wireLog({ output, level, createdAtMs }: DatedLine): MessageInitShape<typeof LogSchema> {
  return { output, level, createdAt: timestampFromMs(createdAtMs) };
}
