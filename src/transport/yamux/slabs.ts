import { allocateBytes } from "../../codec/allocate.js";

/** What fits in here is a small message. */
export const placeBytes = 2 * 1024;

/** A message that a slow network does not take keeps all of the slab: so it is small. */
const slabBytes = 16 * 1024;

/** A slab, of which everything from `end` on is free. */
export interface SharedSlab {
  readonly bytes: Uint8Array;
  end: number;
}

let current: SharedSlab | undefined;

/**
 * Memory that the small messages of all sessions come from: most sessions are idle most of the time, and none of them
 * has memory of its own.
 * @returns a slab in which the {@link placeBytes} up to `end` are the caller's. What is left of them goes back with
 * {@link giveBackPlace}.
 */
export function takePlace(): SharedSlab {
  if (current === undefined || current.end + placeBytes > slabBytes) {
    current = { bytes: allocateBytes(slabBytes), end: 0 };
  }
  current.end += placeBytes;
  return current;
}

/** Gives back all from `used` to `limit`, unless somebody else has a place behind it already. */
export function giveBackPlace(slab: SharedSlab, used: number, limit: number): void {
  if (slab.end === limit) slab.end = used;
}
