import type { IncomingMessage } from "node:http";
import { ApiError } from "../api-error.js";

const maxBodyBytes = 64 * 1024;

/**
 * The body of a request, parsed.
 * @throws ApiError when it is longer than 64 KiB, or not JSON. S5.2.
 */
export async function readJsonBody(request: IncomingMessage): Promise<unknown> {
  const text = (await bodyOf(request)).toString();
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // what a parser says of a text may repeat a part of it, and these bodies are secret
    const detail = text === "" ? "The body is empty." : "The body is not JSON.";
    throw new ApiError(400, "Request body must be valid JSON.", { detail });
  }
}

/** Reads on when the body is too long: the answer would not get through otherwise. Nothing of it is kept. */
function bodyOf(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let length = 0;
    request.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length <= maxBodyBytes) {
        chunks.push(chunk);
        return;
      }
      chunks = [];
      reject(new ApiError(413, "Request body too large."));
    });
    request.once("end", () => resolve(Buffer.concat(chunks)));
    request.once("error", reject);
    request.once("close", () => reject(new ApiError(400, "The request was cut off.")));
  });
}
