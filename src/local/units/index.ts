/** Units and what each of them waits for: a graph in memory, without I/O. */
export type { UnitErrorCode } from "./unit-errors.js";
export { UnitError } from "./unit-errors.js";
export type { Unit, UnitDependency, UnitGraphLimits } from "./unit-graph.js";
export { UnitGraph } from "./unit-graph.js";
export type { UnitStatus } from "./unit-status.js";
export { notRegistered, unitStatusText } from "./unit-status.js";
