/**
 * What is measured. `unary` and `stream` cells take time, `startup` and `wire` cells start clients of their own.
 *
 * @typedef {object} UnaryCell
 * @property {"unary"} kind
 * @property {string} name
 * @property {string} title
 * @property {number} size bytes of the payload
 * @property {number} callers calls at the same time, on one connection
 *
 * @typedef {object} StreamCell
 * @property {"stream"} kind
 * @property {string} name
 * @property {string} title
 * @property {number} size
 * @property {number} count messages of a call; when it is over the next begins
 *
 * @typedef {object} StartupCell
 * @property {"startup"} kind
 * @property {string} name
 * @property {string} title
 *
 * @typedef {object} WireCell
 * @property {"wire"} kind
 * @property {string} name
 * @property {string} title
 * @property {number} size
 * @property {number} callers
 * @property {number} calls
 *
 * @typedef {UnaryCell | StreamCell | StartupCell | WireCell} Cell
 * @typedef {UnaryCell | StreamCell} TimedCell
 */

/** @type {readonly Cell[]} */
export const cells = [
  ...[1, 16, 128].map((callers) => unary("empty", "empty payload", 0, callers)),
  ...[1, 16, 128].map((callers) => unary("10k", "10,240 bytes", 10_240, callers)),
  { kind: "stream", name: "stream-1k", title: "Server stream of 1 KiB messages", size: 1024, count: 4000 },
  { kind: "stream", name: "stream-64k", title: "Server stream of 64 KiB messages", size: 65_536, count: 400 },
  { kind: "startup", name: "startup", title: "Start of a client" },
  wire(1, 500),
  wire(128, 1280),
];

/**
 * @param {string} name
 * @param {string} what
 * @param {number} size
 * @param {number} callers
 * @returns {UnaryCell}
 */
function unary(name, what, size, callers) {
  const title = `Unary, ${what}, ${counted(callers)}`;
  return { kind: "unary", name: `${name}-${callers}`, title, size, callers };
}

/**
 * @param {number} callers
 * @param {number} calls
 * @returns {WireCell}
 */
function wire(callers, calls) {
  const title = `On the wire, empty payload, ${counted(callers)}`;
  return { kind: "wire", name: `wire-${callers}`, title, size: 0, callers, calls };
}

/** @param {number} callers */
function counted(callers) {
  return callers === 1 ? "1 caller" : `${callers} callers`;
}

/**
 * The same cell with fewer messages and calls, for a quick run.
 *
 * @param {Cell} cell
 * @returns {Cell}
 */
export function shortened(cell) {
  if (cell.kind === "stream") return { ...cell, count: cell.count / 20 };
  if (cell.kind === "wire") return { ...cell, calls: 2 * cell.callers };
  return cell;
}
