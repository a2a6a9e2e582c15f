import { uuidText } from "../senders/report-fields.js";

/** The id of a log source in its usual spelling. @throws TypeError when it is no UUID. */
export function sourceIdOf(source: string | Uint8Array): string {
  return uuidText("a log source", source);
}
