import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { JsonValue } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";

/** The JSON values of a stream, one to a line; blank lines are passed over. */
export async function* jsonValues(stream: Readable): AsyncIterable<JsonValue> {
  let number = 0;
  for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
    number++;
    if (line.trim() === "") continue;
    try {
      yield JSON.parse(line) as JsonValue;
    } catch (error) {
      const text = `line ${number} of standard input is not JSON: ${(error as Error).message}`;
      throw new ConnectError(text, Code.InvalidArgument);
    }
  }
}
