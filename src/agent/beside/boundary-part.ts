import { BoundaryLogSender, StatsMetricType } from "../../client/index-node.js";
import {
  type BoundaryLogProxy,
  boundaryLogSocketVariables,
  createBoundaryLogProxy,
} from "../../local/index.js";
import type { AgentHost, AgentPart } from "../part.js";

/** How boundary logs are taken. */
export interface BoundaryOptions {
  /** The socket's file; `boundary-audit.sock` in the folder for temporary files by default. C6.1. */
  path?: string | undefined;
}

/** Takes logs of programs that confine others, and forwards them. Commands find its path in their environment. C6. */
export function boundaryPart(host: AgentHost, options: BoundaryOptions = {}): AgentPart {
  const sender = new BoundaryLogSender();
  let proxy: BoundaryLogProxy | undefined;
  return {
    name: "boundary-logs",
    senders: [sender],
    async open() {
      proxy = await createBoundaryLogProxy({
        sender,
        onWarning: (text) => host.tell({ kind: "warning", text }),
        ...(options.path === undefined ? {} : { path: options.path }),
      });
      // programs know one name or the other. C6.19
      for (const name of boundaryLogSocketVariables) host.setEnvironment(name, proxy.path);
    },
    metrics: () =>
      sender.metrics().map(({ name, labels, value }) => ({
        name,
        type: StatsMetricType.COUNTER,
        value,
        labels: Object.entries(labels).map(([label, text]) => ({ name: label, value: text })),
      })),
    close: () => proxy?.close(),
  };
}
