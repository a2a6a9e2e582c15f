interface BufferLike {
  allocUnsafeSlow(size: number): Uint8Array;
}

const nodeBuffer = (globalThis as { Buffer?: BufferLike }).Buffer;

/** Memory that is about to be filled: not zeroed, where the runtime has such. */
export const allocateBytes: (size: number) => Uint8Array =
  typeof nodeBuffer?.allocUnsafeSlow === "function"
    ? // without Node's Buffer around it, of which views cost more
      (size) => new Uint8Array(nodeBuffer.allocUnsafeSlow(size).buffer)
    : (size) => new Uint8Array(size);
