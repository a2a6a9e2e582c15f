import { type ContextResource, compareText } from "./resource.js";

/** Bytes of one resource. C4.73. */
export const maxResourceBytes = 65_536;
/** Bytes of all contents of a snapshot. C4.73. */
const maxPayloadBytes = 2_097_152;
/** Resources of a snapshot that are not excluded for their number. C4.73. */
const maxResources = 500;
/** Resources that are listed at all, excluded ones too; servers take 1,000. */
export const maxListed = 1000;
/** Bytes of a source and of a source path; servers take no more. */
export const maxPathBytes = 1024;

/** The order in which resources are kept: by kind, then by source path. C4.73. */
export function compareForCaps(
  a: Pick<ContextResource, "kind" | "sourcePath" | "source">,
  b: Pick<ContextResource, "kind" | "sourcePath" | "source">,
): number {
  return (
    compareText(a.kind, b.kind) || compareText(a.sourcePath, b.sourcePath) || compareText(a.source, b.source)
  );
}

/** The text of a resource that is too large. C4.73. */
export function oversizeError(sizeBytes: bigint): string {
  return `file size ${sizeBytes} exceeds per-resource cap of ${maxResourceBytes} bytes`;
}

/** Holds the caps of a whole snapshot, for resources that come in their order. C4.73. */
export class SnapshotCaps {
  #payloadBytes = 0;
  #count = 0;

  /** Bytes of the contents that were kept. */
  get payloadBytes(): number {
    return this.#payloadBytes;
  }

  /** @param contentBytes what its content takes. @returns the resource, or what is left of it when it is excluded. */
  apply(resource: ContextResource, contentBytes: number): ContextResource {
    this.#count++;
    const isOk = resource.status === "ok";
    if (isOk && this.#payloadBytes + contentBytes > maxPayloadBytes) {
      return excluded(resource, `dropped to fit ${maxPayloadBytes}-byte aggregate cap`);
    }
    if (this.#count > maxResources) {
      return excluded(resource, `dropped to fit ${maxResources}-resource snapshot count cap`);
    }
    if (isOk) this.#payloadBytes += contentBytes;
    return resource;
  }
}

function excluded(resource: ContextResource, error: string): ContextResource {
  return { ...resource, status: "excluded", error, content: undefined, tools: [] };
}
