import type { AgentEvent } from "./events.js";

/** A listener that costs the agent nothing: what it throws becomes a warning of the process, the first time. */
export function carefulListener(listener: (event: AgentEvent) => unknown): (event: AgentEvent) => void {
  let hasFailed = false;
  const failed = (error: unknown) => {
    if (hasFailed) return;
    hasFailed = true;
    process.emitWarning(`onEvent: ${error instanceof Error ? error.message : String(error)}`);
  };
  return (event) => {
    try {
      Promise.resolve(listener(event)).catch(failed);
    } catch (error) {
      failed(error);
    }
  };
}
