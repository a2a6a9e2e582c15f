import { Code, ConnectError } from "@connectrpc/connect";
import { Tailnet } from "../../gen/coder/tailnet/v2/tailnet_pb.js";
import { errorText } from "../../rpc/error-text.js";
import { isUnimplemented, RpcError } from "../../rpc/index.js";

/** A stream that lasts as long as its connection. */
export interface LastingStream<Answer, T> {
  /** What is done with it, and the method, for errors. */
  doing: string;
  method: string;
  /** Makes the call. */
  call(): AsyncIterable<Answer>;
  /** What an answer comes to. */
  take(answer: Answer): T;
  /** Ends it, without an error. */
  signal: AbortSignal | undefined;
}

/** What the answers of a stream come to. @throws RpcError as {@link streamEnd} when the stream ends, in order or not. */
export async function* untilStreamEnd<Answer, T>({
  doing,
  method,
  call,
  take,
  signal,
}: LastingStream<Answer, T>): AsyncGenerator<T, void, undefined> {
  let cause: unknown;
  try {
    for await (const answer of call()) yield take(answer);
  } catch (error) {
    cause = error;
  }
  if (signal?.aborted) return;
  throw streamEnd(doing, method, cause);
}

/**
 * The error of a stream that should have lasted as long as its connection.
 * @param cause why it has ended; undefined when the server ended it in order, which is no reason to be content: EOF.
 */
export function streamEnd(doing: string, method: string, cause: unknown): RpcError {
  const rpc = `/${Tailnet.typeName}/${method}`;
  const said = cause === undefined ? "EOF" : errorText(cause);
  const text = `${doing}: ${isUnimplemented(cause) ? `the server does not have ${method}: ` : ""}${said}`;
  const { layer = "rpc", drpcCode, streamId } = cause instanceof RpcError ? cause : {};
  const code = cause instanceof ConnectError ? cause.code : Code.Unavailable;
  return new RpcError(text, code, { layer, rpc, drpcCode, streamId, cause });
}
