import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { AgentSocket, ContextSnapshotSchema } from "../../gen/coder/agentsocket/v1/agentsocket_pb.js";
import { errorText } from "../../rpc/error-text.js";
import { goQuote } from "../../rpc/index.js";
import type { ContextService, ContextSnapshot } from "./context-service.js";

/** Those of the agent's context. */
export type ContextRpc =
  | "contextSources"
  | "getContextSource"
  | "addContextSource"
  | "removeContextSource"
  | "getContextSnapshot"
  | "resyncContext";

/**
 * The RPCs of the agent's context. C5.19.
 * @param current the context at the time of a call; undefined where there is none.
 */
export function contextRoutes(
  current: () => ContextService | undefined,
): Pick<ServiceImpl<typeof AgentSocket>, ContextRpc> {
  const service = () => {
    const context = current();
    if (context === undefined) throw new Error("context manager not available");
    return context;
  };
  return {
    contextSources: () => ({
      sources: service()
        .sources()
        .map((path) => ({ path })),
    }),
    getContextSource({ path }) {
      const context = service();
      const canonical = context.canonical(path);
      if (!context.sources().includes(canonical)) throw notFound(path);
      return { source: { path: canonical } };
    },
    async addContextSource({ path }) {
      const context = service();
      const added = await explained("add context source", () => context.addSource(path));
      return { source: { path: added } };
    },
    async removeContextSource({ path }) {
      const context = service();
      const wasThere = await explained("remove context source", () => context.removeSource(path));
      if (!wasThere) throw notFound(path);
      return {};
    },
    getContextSnapshot: () => ({ snapshot: onTheWire(service().snapshot()) }),
    async resyncContext(_request, { signal }) {
      const context = service();
      return { snapshot: onTheWire(await explained("resync context", () => context.resync(signal))) };
    },
  };
}

function onTheWire(snapshot: ContextSnapshot): MessageInitShape<typeof ContextSnapshotSchema> {
  const { version, aggregateHash, payloadBytes, snapshotError, resources } = snapshot;
  return {
    version,
    aggregateHash: hex(aggregateHash),
    payloadBytes,
    snapshotError,
    resources: resources.map(({ contentHash, ...resource }) => ({
      ...resource,
      contentHash: hex(contentHash),
    })),
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function notFound(path: string): Error {
  return new Error(`${goQuote(path)}: context source not found`);
}

async function explained<T>(what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw new Error(`${what}: ${errorText(error)}`, { cause: error });
  }
}
