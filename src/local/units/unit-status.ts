/** Where a unit is; any order of them is allowed. C5.20, C5.23. */
export type UnitStatus = "pending" | "started" | "completed";

/** The status of a unit that is known only because another one depends on it, or not at all. C5.20. */
export const notRegistered = "";

/** A status for people: `not registered` where the unit is not. C5.20. */
export function unitStatusText(status: string): string {
  return status === notRegistered ? "not registered" : status;
}
