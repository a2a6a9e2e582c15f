// @ts-check
import { ScalarType } from "@bufbuild/protobuf";

/**
 * How a value that is no message is read and written.
 *
 * @typedef {object} Scalar
 * @property {string} method of Reader; of Writer too, where `put` before it writes zeros
 * @property {string} zero as code
 * @property {string} type as code
 * @property {0 | 1 | 2 | 5} wireType
 */

/** @type {Map<ScalarType, Scalar>} */
const scalars = new Map([
  [ScalarType.STRING, { method: "string", zero: '""', type: "string", wireType: 2 }],
  [ScalarType.BYTES, { method: "bytes", zero: "new Uint8Array(0)", type: "Uint8Array", wireType: 2 }],
  [ScalarType.BOOL, { method: "bool", zero: "false", type: "boolean", wireType: 0 }],
  [ScalarType.INT32, { method: "int32", zero: "0", type: "number", wireType: 0 }],
  [ScalarType.UINT32, { method: "uint32", zero: "0", type: "number", wireType: 0 }],
  [ScalarType.INT64, { method: "int64", zero: "0n", type: "bigint", wireType: 0 }],
  [ScalarType.UINT64, { method: "uint64", zero: "0n", type: "bigint", wireType: 0 }],
  [ScalarType.DOUBLE, { method: "double", zero: "0", type: "number", wireType: 1 }],
  [ScalarType.FLOAT, { method: "float", zero: "0", type: "number", wireType: 5 }],
]);

/**
 * @param {{ scalar?: ScalarType | undefined }} of a field, or what is like one; an enum without a scalar
 * @returns {Scalar}
 * @throws Error for types that no schema of ours has
 */
export function scalarOf({ scalar = ScalarType.INT32 }) {
  const found = scalars.get(scalar);
  if (found === undefined) {
    throw new Error(`${ScalarType[scalar]} needs methods of Reader and Writer, and an entry in scalars.mjs`);
  }
  return found;
}

/**
 * `string` as `putString`.
 *
 * @param {Scalar} scalar
 */
export function putMethod({ method }) {
  return `put${method[0]?.toUpperCase()}${method.slice(1)}`;
}
