import { decodeUtf8 } from "../../codec/index.js";

/**
 * Reads the body of an answer as UTF-8.
 * @param maxBytes so much of it is taken at most.
 * @throws RangeError when it is longer; the rest is not read.
 */
export async function boundedText(response: Response, maxBytes: number): Promise<string> {
  const { text, isWhole } = await read(response, maxBytes);
  if (!isWhole) throw new RangeError(`the answer is longer than ${maxBytes} bytes`);
  return text;
}

/** The start of an answer's body as UTF-8; the rest is not read. */
export async function startOfText(response: Response, maxBytes: number): Promise<string> {
  return (await read(response, maxBytes)).text;
}

async function read(response: Response, maxBytes: number): Promise<{ text: string; isWhole: boolean }> {
  const reader = response.body?.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (length <= maxBytes) {
    const chunk = await reader?.read();
    if (chunk?.value === undefined) return { text: decodeUtf8(joined(chunks, length)), isWhole: true };
    length += chunk.value.length;
    chunks.push(chunk.value);
  }
  await reader?.cancel().catch(() => {});
  return { text: decodeUtf8(joined(chunks, length).subarray(0, maxBytes)), isWhole: false };
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
