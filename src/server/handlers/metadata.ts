import type { MetadataUpdate } from "../../store/index.js";
import { sessionOf } from "../agent-session.js";
import type { AgentHandlers, HandlerDeps } from "./deps.js";
import { HandlerFailure } from "./failure.js";

/** All keys of a request together. S3.60. */
const maxKeysBytes = 6144;
/** A value, and an error. S3.61. */
const maxTextBytes = 2048;

/** BatchUpdateMetadata. S3.59–S3.63. */
export function metadataHandlers(deps: HandlerDeps): AgentHandlers {
  return {
    async batchUpdateMetadata({ metadata }, context) {
      const { agentId } = sessionOf(context);
      const collectedAtUs = deps.nowUs();
      const updates: MetadataUpdate[] = [];
      let keysBytes = 0;
      for (const { key, result } of metadata) {
        if (result === undefined) throw new HandlerFailure("metadata result is required");
        keysBytes += Buffer.byteLength(key);
        if (keysBytes > maxKeysBytes) break;
        updates.push({ agentId, key, collectedAtUs, ...limited(result.value.trim(), result.error.trim()) });
      }
      deps.batches.metadata.add(updates);
      if (keysBytes > maxKeysBytes) {
        // those before the first that was too much are taken
        throw new HandlerFailure(`metadata keys of ${keysBytes} bytes exceeded ${maxKeysBytes} bytes`);
      }
      return {};
    },
  };
}

function limited(value: string, error: string): { value: string; error: string } {
  const valueBytes = Buffer.byteLength(value);
  const errorBytes = Buffer.byteLength(error);
  if (errorBytes > maxTextBytes) error = `error of ${errorBytes} bytes exceeded ${maxTextBytes} bytes`;
  if (valueBytes <= maxTextBytes) return { value, error };
  const cut = Buffer.from(value).subarray(0, maxTextBytes).toString();
  if (errorBytes <= maxTextBytes) error = `value of ${valueBytes} bytes exceeded ${maxTextBytes} bytes`;
  return { value: cut, error };
}
