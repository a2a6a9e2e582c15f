import { setTimeout as pause } from "node:timers/promises";

/** Until what is under way has come, or what is released after a while has been. */
export const settled = (/** @type {number} */ ms) => pause(ms);
