import { LocalEvents } from "../../../src/server/events/index.js";
import { eventsCompliance, type MakePair } from "./compliance.js";

const oneForBoth: MakePair = async (onProblem) => {
  const events = new LocalEvents({ onProblem });
  return { a: events, b: events };
};
eventsCompliance("events within a process", oneForBoth, false);
