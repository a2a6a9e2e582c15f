import { LocalEvents } from "../../../src/server/events/index.js";
import { eventsCompliance } from "./compliance.js";

eventsCompliance("events within a process", async (onProblem) => {
  const events = new LocalEvents({ onProblem });
  return { a: events, b: events };
});
