import { createRegistry, equals } from "@bufbuild/protobuf";
import { type Node, NodeSchema } from "../../gen/coder/tailnet/v2/tailnet_pb.js";

/** A node as a coordinator keeps it: once, whoever is told of it. */
export interface KnownNode {
  readonly node: Node;
  /** What it is on the wire. */
  readonly sizeBytes: number;
}

/** Fields that this version does not know count too. */
const inFull = { unknown: true, registry: createRegistry() };

/**
 * The latest node where the next is equal to it, else the next: one that is said again is the same object again. Maps
 * may be written in any order, so that equal nodes may differ in their bytes.
 */
export function sameOrNew(latest: KnownNode | undefined, next: KnownNode): KnownNode {
  const isSame = latest?.sizeBytes === next.sizeBytes && equals(NodeSchema, latest.node, next.node, inFull);
  return isSame ? latest : next;
}
