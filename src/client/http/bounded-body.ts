import { BytePieces } from "../../codec/byte-pieces.js";
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
  const pieces = new BytePieces();
  let isWhole = false;
  while (!isWhole && pieces.length <= maxBytes) {
    const { value } = (await reader?.read()) ?? {};
    if (value === undefined) isWhole = true;
    else pieces.push(value);
  }
  if (!isWhole) await reader?.cancel().catch(() => {});
  return { text: decodeUtf8(pieces.take().subarray(0, maxBytes)), isWhole };
}
