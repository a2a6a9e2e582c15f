import { LocalCoordinator } from "../../../src/server/tailnet/local-coordinator.js";
import { coordinatorCompliance } from "./coordinator-compliance.js";

coordinatorCompliance("a coordinator in process", async (limits) => {
  const coordinator = new LocalCoordinator(limits);
  return { replicas: [coordinator], close: () => coordinator.close() };
});
