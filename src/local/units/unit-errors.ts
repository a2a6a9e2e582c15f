import { goQuote } from "../../rpc/index.js";

/** What is wrong with an operation on units, as a stable word. */
export type UnitErrorCode =
  | "name-required"
  | "not-found"
  | "already-registered"
  | "same-status"
  | "cycle"
  | "no-graph"
  | "too-many";

/** Why the unit graph refused something. The text is the one that users of the socket see. C5.26. */
export class UnitError extends Error {
  readonly code: UnitErrorCode;

  constructor(code: UnitErrorCode, message: string) {
    super(message);
    this.name = "UnitError";
    this.code = code;
  }
}

export function nameRequired(what: string): UnitError {
  return new UnitError("name-required", `${what}: unit name is required`);
}

export function alreadyRegistered(unit: string): UnitError {
  return new UnitError("already-registered", `registering unit ${goQuote(unit)}: unit already registered`);
}

export function mustBeRegistered(what: string, unit: string): UnitError {
  return new UnitError("not-found", `${what} ${goQuote(unit)} must be registered first: unit not found`);
}

export function notKnown(unit: string): UnitError {
  return new UnitError("not-found", `checking registration for unit ${goQuote(unit)}: unit not found`);
}

export function sameStatus(unit: string): UnitError {
  return new UnitError("same-status", `checking status for unit ${goQuote(unit)}: same status already set`);
}

export function cycle(unit: string, dependsOn: string): UnitError {
  return new UnitError(
    "cycle",
    `adding edge for unit ${goQuote(unit)}: failed to add dependency\nadding edge (${unit} -> ${dependsOn}): cycle detected`,
  );
}

export function tooMany(what: "units" | "dependencies", limit: number): UnitError {
  return new UnitError("too-many", `the unit graph has ${limit} ${what}, which is its limit`);
}
