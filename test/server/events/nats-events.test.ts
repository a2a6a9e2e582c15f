import { afterAll, describe } from "vitest";
import { openNatsEvents } from "../../../src/server/events/index.js";
import { startNats } from "../../support/nats.js";
import { eventsCompliance } from "./compliance.js";

const server = await startNats();
afterAll(() => server?.stop());

describe.skipIf(server === undefined)("with NATS", () => {
  const url = server?.url ?? "";

  eventsCompliance("events over NATS", async (onProblem) => {
    const options = { onProblem, maxBackoffMs: 50 };
    const [a, b] = [await openNatsEvents(url, options), await openNatsEvents(url, options)];
    return { a, b, cut: async () => server?.restart() };
  });
});
