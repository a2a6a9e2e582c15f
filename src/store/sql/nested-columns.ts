import type { ContextResourceRecord, ResourceSample } from "../records.js";
import type { Column } from "./columns.js";

/*
 * Lists that are read and written whole are kept as JSON in one column. JSON has neither bytes nor 64-bit integers:
 * those are text in it.
 */

type Memory = NonNullable<ResourceSample["memory"]>;

/** How much memory was used. */
export const sampleMemory: Column<Memory> = {
  toSql: ({ usedBytes, totalBytes }) => JSON.stringify([String(usedBytes), String(totalBytes)]),
  fromSql(stored) {
    const [used, total] = JSON.parse(String(stored)) as [string, string];
    return { usedBytes: BigInt(used), totalBytes: BigInt(total) };
  },
};

/** How much of volumes was used. */
export const sampleVolumes: Column<ResourceSample["volumes"]> = {
  toSql: (volumes) =>
    JSON.stringify(
      volumes.map(({ path, usedBytes, totalBytes }) => [path, String(usedBytes), String(totalBytes)]),
    ),
  fromSql(stored) {
    const rows = JSON.parse(String(stored)) as [string, string, string][];
    return rows.map(([path, used, total]) => ({
      path,
      usedBytes: BigInt(used),
      totalBytes: BigInt(total),
    }));
  },
};

type ResourceJson = Omit<ContextResourceRecord, "contentHash" | "sizeBytes"> & {
  contentHash: string;
  sizeBytes: string;
};

/** The things of a context, in the order in which they were pushed. */
export const contextResources: Column<readonly ContextResourceRecord[]> = {
  toSql: (resources) =>
    JSON.stringify(
      resources.map(
        ({ contentHash, sizeBytes, ...rest }): ResourceJson => ({
          ...rest,
          contentHash: Buffer.from(contentHash).toString("base64"),
          sizeBytes: String(sizeBytes),
        }),
      ),
    ),
  fromSql: (stored) =>
    (JSON.parse(String(stored)) as ResourceJson[]).map(({ contentHash, sizeBytes, ...rest }) => ({
      ...rest,
      sourcePath: rest.sourcePath,
      contentHash: Uint8Array.from(Buffer.from(contentHash, "base64")),
      sizeBytes: BigInt(sizeBytes),
    })),
};
