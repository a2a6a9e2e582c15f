import type { Metrics } from "./hooks.js";

/**
 * Counts a WebSocket that has begun. S8.
 * @param path of its route, with braces for what differs.
 * @returns what to call at its end.
 */
export function countSocket(metrics: Metrics, path: string): () => void {
  const labels = { path };
  const beginMs = performance.now();
  metrics.gauge("coderd_api_concurrent_websockets", 1, labels);
  return () => {
    metrics.gauge("coderd_api_concurrent_websockets", -1, labels);
    const seconds = (performance.now() - beginMs) / 1000;
    metrics.observe("coderd_api_websocket_durations_seconds", seconds, labels);
  };
}
