import { readFileSync } from "node:fs";

/** A recorded byte string: hex, or parts of hex and repeated hex. */
export type RecordedBytes = string | readonly (string | readonly [string, number])[];

export function recorded(bytes: RecordedBytes): Uint8Array {
  if (typeof bytes === "string") return Buffer.from(bytes, "hex");
  return Buffer.concat(
    bytes.map((part) => {
      if (typeof part === "string") return Buffer.from(part, "hex");
      const [hex, times] = part;
      return Buffer.alloc((hex.length / 2) * times, Buffer.from(hex, "hex"));
    }),
  );
}

/** A file of test/vectors. Its shape is what the caller says: formats are in test/vectors/README.md. */
export function vectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), "utf8")) as T;
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** Cuts bytes after each of some sizes, repeated until all is cut. */
export function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const size = Math.max(1, sizes[i % sizes.length] ?? bytes.length);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}
