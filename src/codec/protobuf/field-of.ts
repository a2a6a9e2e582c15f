import { type WriteMessage, Writer } from "./writer.js";

/**
 * The place in a message because of which it could not be written, as `logs[3].output`.
 *
 * Writers get values without names, which would be a part of each call. So the message is written once more, behind
 * proxies that note what is read: that which is read last is what is wrong.
 */
export function fieldOf<Init>(write: WriteMessage<Init>, message: Init): string {
  let last = "";

  const watched = (value: unknown, path: string): unknown => {
    if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
    const isList = Array.isArray(value);
    // of a copy: a proxy must give what a frozen target has
    return new Proxy(isList ? [...value] : { ...value }, {
      get(_copy, key) {
        const name = String(key);
        const place = path + (isList ? `[${name}]` : `${path && "."}${name}`);
        // not the name of a type, the unknown fields, or the length of a list
        if (isList ? /^\d/.test(name) : name[0] !== "$") last = place;
        return watched(Reflect.get(value, key), place);
      },
    });
  };

  try {
    write(new Writer(), watched(message, "") as Init, 0);
  } catch {
    // as it did before
  }
  return last || "the message";
}
