import type { ConnectionLogRecord, ConnectionReport } from "./records.js";

/**
 * What is known of a connection after one more report of it: the earliest time counts as its begin, and what a
 * `disconnected` says wins. S3.90.
 */
export function mergedConnection(
  known: ConnectionLogRecord | undefined,
  report: ConnectionReport,
): ConnectionLogRecord {
  const { action, atUs, ip, statusCode, reason, ...who } = report;
  const before: ConnectionLogRecord = known ?? {
    ...who,
    id: crypto.randomUUID(),
    ip,
    connectedAtUs: atUs,
    disconnectedAtUs: undefined,
    statusCode: undefined,
    reason: undefined,
  };
  const connectedAtUs = Math.min(before.connectedAtUs, atUs);
  const merged = { ...before, connectedAtUs, ip: before.ip ?? ip };
  if (action === "connected") return { ...merged, reason: before.reason ?? reason };
  return { ...merged, disconnectedAtUs: atUs, statusCode, reason: reason ?? before.reason };
}
