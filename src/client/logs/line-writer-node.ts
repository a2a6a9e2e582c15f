import { Writable } from "node:stream";
import { asError } from "../../rpc/error-text.js";
import { type LineTarget, LineWriter, type LineWriterOptions } from "./line-writer.js";

/** What takes lines: a `ScriptLogger`, or an `HttpLogSender`. */
export interface LineLogger {
  send: LineTarget;
}

/**
 * A stream that makes log lines of what is written, for `pipeline(child.stdout, lineStream(logger))`. While the queue
 * is full it takes nothing, and so holds the program back. Destroying it, or the end of the signal, ends the wait;
 * when it cannot go on it is destroyed with the error.
 * @param logger where the lines go.
 * @param options as of {@link LineWriter}.
 * @throws RangeError when a character may not fit in a line.
 */
export function lineStream(logger: LineLogger, options: LineWriterOptions = {}): Writable {
  const destroyed = new AbortController();
  const { signal: outer, ...rest } = options;
  const writer = new LineWriter((lines, signal) => logger.send(lines, signal), {
    ...rest,
    signal: destroyed.signal,
  });
  const onAbort = () => stream.destroy(asError(outer?.reason));
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      settle(writer.write(chunk), done);
    },
    final(done) {
      settle(writer.end(), done);
    },
    destroy(error, done) {
      outer?.removeEventListener("abort", onAbort);
      destroyed.abort(error ?? new Error("the stream of lines was destroyed"));
      done(error);
    },
  });
  if (outer?.aborted) onAbort();
  else outer?.addEventListener("abort", onAbort);
  return stream;
}

function settle(written: Promise<void>, done: (error?: Error | null) => void): void {
  written.then(
    () => done(),
    (error: unknown) => done(asError(error)),
  );
}
