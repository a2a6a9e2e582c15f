import { createReadStream } from "node:fs";
import { errorText } from "../../rpc/error-text.js";
import { goQuote } from "../../rpc/index.js";
import { TokenSettingError } from "./token-setting-error.js";
import type { TokenProvider } from "./token-source.js";

/** More is no token. */
const maxTokenBytes = 64 * 1024;

/**
 * A token in a file, without the blanks around it: read anew before each dial, so that somebody else may change it.
 * C1.39, C1.40. Its methods throw a TokenSettingError when the file cannot be read, or holds no token.
 */
export function tokenFile(path: string): TokenProvider {
  let known: string | undefined;
  const refresh = async (signal: AbortSignal) => {
    known = await tokenIn(path, signal);
    return known;
  };
  return { get: async (signal) => known ?? (await refresh(signal)), refresh };
}

async function tokenIn(path: string, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    const stream = createReadStream(path, { end: maxTokenBytes, signal });
    for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  } catch (error) {
    signal.throwIfAborted();
    throw unreadable(path, errorText(error), error);
  }
  const bytes = Buffer.concat(chunks);
  if (bytes.length > maxTokenBytes) throw unreadable(path, `it has more than ${maxTokenBytes} bytes`);
  const token = bytes.toString().trim();
  if (token === "") throw blankToken();
  return token;
}

function unreadable(path: string, reason: string, cause?: unknown): TokenSettingError {
  return new TokenSettingError("tokenFile", `read token file ${goQuote(path)}: ${reason}`, { cause });
}

/** C1.40. */
export function blankToken(): TokenSettingError {
  return new TokenSettingError(
    "token",
    "CODER_AGENT_TOKEN or CODER_AGENT_TOKEN_FILE must be set for token auth",
  );
}
