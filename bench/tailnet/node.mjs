import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { CoordinateRequestSchema } from "../../dist/gen/coder/tailnet/v2/index_pb.js";

/** A node as the network library tells it: ten relays, five endpoints. About 400 bytes. */
function request(/** @type {bigint} */ id) {
  return create(CoordinateRequestSchema, {
    updateSelf: {
      node: {
        id,
        asOf: { seconds: 1_800_000_000n, nanos: Number(id % 1_000_000_000n) },
        key: new Uint8Array(42).fill(7),
        disco: `discokey:${"ab".repeat(32)}`,
        preferredDerp: 1,
        derpLatency: Object.fromEntries(
          Array.from({ length: 10 }, (_, i) => [`${i + 1}-v4`, 0.01 * (i + 1)]),
        ),
        addresses: ["fd7a:115c:a1e0:4732:80a0:c419:6dc3:40d6/128"],
        allowedIps: ["fd7a:115c:a1e0:4732:80a0:c419:6dc3:40d6/128"],
        endpoints: Array.from({ length: 5 }, (_, i) => `192.0.2.${i}:41641`),
      },
    },
  });
}

/** A request with a new node, as it comes from the network: nothing of it is shared with another. */
export function update(/** @type {bigint} */ id) {
  return fromBinary(CoordinateRequestSchema, toBinary(CoordinateRequestSchema, request(id)));
}

/** @returns the message that opens a tunnel */
export function tunnelTo(/** @type {string} */ id) {
  return create(CoordinateRequestSchema, { addTunnel: { id: Buffer.from(id.replaceAll("-", ""), "hex") } });
}

/** @returns the part of sorted numbers below which so many of a hundred are */
export function percentile(/** @type {number[]} */ values, /** @type {number} */ percent) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? 0;
}

/** @returns bytes of heap that are in use, after a collection */
export async function heapBytes() {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage().heapUsed;
}
