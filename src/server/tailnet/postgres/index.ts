/** A coordinator whose peers are connected to any of several processes. */
export type { PostgresCoordinatorOptions } from "./options.js";
export { openPostgresCoordinator } from "./postgres-coordinator.js";
