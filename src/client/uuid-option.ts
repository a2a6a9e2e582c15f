import { normalizeUuid } from "../codec/index.js";

/** A UUID that a caller has given, lower-case. @param name what it is called. @throws TypeError when it is none. */
export function uuidOption(name: string, text: string): string {
  const id = normalizeUuid(text);
  if (id === undefined) throw noUuid(name, text);
  return id;
}

/** What is wrong with a text that should be a UUID. */
export function noUuid(name: string, text: string): TypeError {
  return new TypeError(`${name} is a UUID, and not ${JSON.stringify(text)}`);
}
