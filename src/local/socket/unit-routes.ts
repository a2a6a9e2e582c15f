import type { ServiceImpl } from "@connectrpc/connect";
import type { AgentSocket } from "../../gen/coder/agentsocket/v1/agentsocket_pb.js";
import { errorText } from "../../rpc/error-text.js";
import { goQuote } from "../../rpc/index.js";
import type { UnitGraph } from "../units/index.js";

type UnitRpc = "syncWant" | "syncReady" | "syncStart" | "syncComplete" | "syncStatus" | "syncList";

/** The RPCs of the unit graph. C5.10 to C5.15. */
export function unitRoutes(units: UnitGraph): Pick<ServiceImpl<typeof AgentSocket>, UnitRpc> {
  return {
    syncWant({ unit, dependsOn }) {
      explained("cannot add dependency", () => {
        registerOnce(units, unit);
        units.addDependency(unit, dependsOn, "completed");
      });
      return {};
    },
    syncReady: ({ unit }) => ({ ready: isReady(units, unit) }),
    syncStart({ unit }) {
      explained("SyncStart", () => registerOnce(units, unit));
      explained(`cannot start unit ${goQuote(unit)}`, () => {
        if (!units.isReady(unit)) throw new Error("unit not ready");
        units.updateStatus(unit, "started");
      });
      return {};
    },
    syncComplete({ unit }) {
      explained(`cannot complete unit ${goQuote(unit)}`, () => units.updateStatus(unit, "completed"));
      return {};
    },
    syncStatus: ({ unit }) => ({
      isReady: isReady(units, unit),
      status: units.status(unit),
      dependencies: units.isRegistered(unit) ? units.dependencies(unit) : [],
    }),
    syncList: () => ({
      units: units
        .units()
        .map(({ name, status, isReady: ready }) => ({ unit: name, status, isReady: ready })),
    }),
  };
}

function registerOnce(units: UnitGraph, unit: string): void {
  if (!units.isRegistered(unit)) units.register(unit);
}

function isReady(units: UnitGraph, unit: string): boolean {
  return explained("cannot check readiness", () => units.isReady(unit));
}

function explained<T>(what: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    // a plain error: its text travels with code 0
    throw new Error(`${what}: ${errorText(error)}`, { cause: error });
  }
}
