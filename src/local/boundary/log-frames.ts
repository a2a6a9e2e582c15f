import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  BoundaryTag,
  encodeBoundaryFrame,
  maxBoundaryPayloadBytes,
  varintLength,
} from "../../codec/index.js";
import { BoundaryLogCodec } from "../../gen/coder/agent/v2/agent_codec.js";
import { type BoundaryLog, BoundaryLogSchema } from "../../gen/coder/agent/v2/agent_pb.js";
import { BoundaryMessageCodec } from "../../gen/coder/boundarylogproxy/codec/v1/boundary_codec.js";
import type { BoundaryMessageSchema } from "../../gen/coder/boundarylogproxy/codec/v1/boundary_pb.js";
import type { BoundaryLogNumber } from "./log-numbers.js";

/** A decision on a request of a confined program. */
export interface BoundaryLogEntry {
  allowed: boolean;
  /** The HTTP method. */
  method: string;
  /** In full. */
  url: string;
  /** The rule that allowed the request. Not sent with a request that was denied. C6.23. */
  matchedRule?: string | undefined;
  /** When it was decided; now by default. */
  time?: Date | undefined;
}

/** A log as it waits to be sent. */
export interface NumberedLog {
  readonly sessionId: string;
  readonly log: BoundaryLog;
  /** What it takes of a request. */
  readonly bytes: number;
}

/** What a message takes besides its logs: the session's id, 36 letters, and two tags and lengths around all. */
const besidesBytes = 2 + 36 + 1 + 3;

/** A log over this fits in no frame. */
export const maxLogBytes: number = maxBoundaryPayloadBytes - besidesBytes;

/** @throws RangeError when the time is no time; TypeError when a text is none. */
export function numberedLog(
  entry: BoundaryLogEntry,
  { sessionId, sequenceNumber }: BoundaryLogNumber,
): NumberedLog {
  const { allowed, method, url, matchedRule = "", time = new Date() } = entry;
  const log = create(BoundaryLogSchema, {
    allowed,
    time: timestampFromDate(time),
    sequenceNumber,
    resource: { case: "httpRequest", value: { method, url, matchedRule: allowed ? matchedRule : "" } },
  });
  const { length } = BoundaryLogCodec.encode(log);
  return { sessionId, log, bytes: 1 + varintLength(length) + length };
}

/** How many logs from the start go into one frame: of one session, and not too large together. */
export function frameLength(logs: readonly NumberedLog[], maxLogs: number): number {
  let bytes = 0;
  let count = 0;
  for (const log of logs.slice(0, maxLogs)) {
    bytes += log.bytes;
    if (bytes > maxLogBytes || log.sessionId !== logs[0]?.sessionId) break;
    count++;
  }
  return count;
}

/** The frame of logs of one session. C6.22. */
export function logsFrame(logs: readonly NumberedLog[]): Uint8Array {
  const sessionId = logs[0]?.sessionId ?? "";
  return messageFrame({ case: "logs", value: { sessionId, logs: logs.map(({ log }) => log) } });
}

/** The frame that says how many logs were dropped. C6.22. */
export function statusFrame(droppedChannelFull: number, droppedBatchFull: number): Uint8Array {
  return messageFrame({
    case: "status",
    value: { droppedChannelFull: BigInt(droppedChannelFull), droppedBatchFull: BigInt(droppedBatchFull) },
  });
}

function messageFrame(msg: NonNullable<MessageInitShape<typeof BoundaryMessageSchema>["msg"]>): Uint8Array {
  return encodeBoundaryFrame(BoundaryTag.Message, BoundaryMessageCodec.encode({ msg }));
}
