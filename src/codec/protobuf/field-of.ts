import { Writer, type WriteMessage } from "./writer.js";

/**
 * The name of the field because of which a message could not be written, as `Message.field`.
 *
 * Writers get values without names, which would be a part of each call. So the message is written once more,
 * behind proxies that note what is read: that which is read last is what is wrong.
 */
export function fieldOf<Init>(write: WriteMessage<Init>, message: Init): string {
  const types = new Map<unknown, string>();
  const writer = new Writer((proxy, typeName) => types.set(proxy, typeName));
  let last = "the message";

  /** @param field whose value it is, or a part of its value */
  const watched = (value: unknown, field: string): unknown => {
    if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
    // of a copy: a proxy must give what a frozen target has
    const proxy = new Proxy(Array.isArray(value) ? [...value] : { ...value }, {
      get(_copy, key) {
        const type = types.get(proxy);
        // what is not a message is a list, a map, or the case and the value of a oneof
        last = type === undefined ? field : `${withoutPackage(type)}.${String(key)}`;
        return watched(Reflect.get(value, key), last);
      },
    });
    return proxy;
  };

  try {
    write(writer, watched(message, last) as Init, 0);
  } catch {
    // as it did before
  }
  return last;
}

function withoutPackage(typeName: string): string {
  return typeName.replace(/^([a-z]\w*\.)+/, "");
}
