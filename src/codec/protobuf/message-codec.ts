import { fieldOf } from "./field-of.js";
import { Reader, type ReadMessage } from "./reader.js";
import { type UnknownField, type WriteMessage, Writer } from "./writer.js";
import { WrongValue } from "./wrong-value.js";

/** Writes one message type. `Init` is a message of protobuf-es, or an object with some of its fields. */
export interface MessageEncoder<Init = unknown> {
  /** @throws TypeError that names the field, when a value is of another type or out of range. */
  encode(message: Init): Uint8Array;
  /**
   * The same bytes, good only until the next message of any type is encoded: for who copies them at once.
   * @throws TypeError as `encode`.
   */
  encodeForCopying(message: Init): Uint8Array;
}

/** Reads one message type. `T` is a message of protobuf-es. */
export interface MessageDecoder<T = unknown> {
  /** Fields of bytes are views of the bytes given. @throws Error when they are not such a message. */
  decode(bytes: Uint8Array): T;
}

/** Reads and writes one message type. */
export interface MessageCodec<T = unknown, Init = T> extends MessageEncoder<Init>, MessageDecoder<T> {}

/** Codecs by the schemas of their messages. One that is for callers, or for servers, goes one way only. */
export type MessageCodecs = ReadonlyMap<object, Partial<MessageCodec>>;

let idleWriter: Writer | undefined;
const reader = new Reader();

/** An encoder of the function that is generated for a message. */
export function messageEncoder<Init>(write: WriteMessage<Init>): MessageEncoder<Init> {
  const encode = (message: Init, isCopied: boolean) => {
    // a message may have getters, and these may encode others
    const writer = idleWriter ?? new Writer();
    idleWriter = undefined;
    try {
      write(writer, message, 0);
      return isCopied ? writer.copied() : writer.written();
    } catch (error) {
      throw error instanceof WrongValue
        ? new TypeError(`${fieldOf(write, message)} ${error.message}`)
        : error;
    } finally {
      writer.reset();
      idleWriter = writer;
    }
  };
  return {
    encode: (message) => encode(message, true),
    encodeForCopying: (message) => encode(message, false),
  };
}

/** A decoder of the function that is generated for a message. */
export function messageDecoder<T>(read: ReadMessage<T>): MessageDecoder<T> {
  return {
    decode(bytes) {
      try {
        return read(reader, undefined, reader.begin(bytes));
      } finally {
        reader.reset();
      }
    },
  };
}

/** A codec of the two functions that are generated for a message. */
export function messageCodec<T, Init>(
  write: WriteMessage<Init>,
  read: ReadMessage<T>,
): MessageCodec<T, Init> {
  return { ...messageEncoder(write), ...messageDecoder(read) };
}

/** Codecs as a table, as generated code makes them: of pairs of a schema and its codec. */
export function codecTable(entries: readonly (readonly [schema: object, codec: object])[]): MessageCodecs {
  return new Map(entries);
}

/** What is known of a service: the schemas of its methods. */
interface Service {
  readonly methods: readonly { readonly input: Schema; readonly output: Schema }[];
}

interface Schema {
  readonly typeName: string;
}

/** A message without fields. */
interface EmptyMessage {
  $typeName: string;
  $unknown?: UnknownField[] | undefined;
}

/**
 * What callers of a service need, as generated code makes it: for each method, in order, what writes the request and
 * what reads the answer, if these have fields.
 */
export function callerCodecs(
  { methods }: Service,
  functions: readonly (readonly [write?: WriteMessage<never> | undefined, read?: ReadMessage<unknown>])[],
): MessageCodecs {
  const all = new Map<object, Partial<MessageCodec>>();
  functions.forEach(([write, read], index) => {
    const method = methods[index];
    if (method === undefined) return;
    const { input, output } = method;
    add(all, input, messageEncoder(write ?? emptyWriter(input)));
    add(all, output, messageDecoder(read ?? emptyReader(output)));
  });
  return all;
}

function emptyWriter({ typeName }: Schema): WriteMessage<EmptyMessage> {
  return (writer, message, tag) => {
    writer.end(writer.begin(message, message?.$typeName, typeName, tag), message.$unknown);
  };
}

function emptyReader({ typeName }: Schema): ReadMessage<EmptyMessage> {
  return (reader, _message, end) => {
    const message: EmptyMessage = { $typeName: typeName };
    while (reader.more(end)) reader.unknown(message, reader.tag());
    return message;
  };
}

/** The codecs of several services. */
export function joinCodecs(...tables: readonly MessageCodecs[]): MessageCodecs {
  const all = new Map<object, Partial<MessageCodec>>();
  for (const table of tables) for (const [schema, codec] of table) add(all, schema, codec);
  return all;
}

function add(all: Map<object, Partial<MessageCodec>>, schema: object, codec: Partial<MessageCodec>): void {
  all.set(schema, { ...all.get(schema), ...codec });
}

/**
 * Makes messages of one type, as plain objects with the fields that every new one has.
 *
 * They are made by a constructor, whose objects have room for fields that are added later. Those of an object
 * literal have none, and would need a second object each.
 */
export function messageShape<T extends object>(
  fill: (this: { -readonly [Key in keyof T]: T[Key] }) => void,
): new () => T {
  fill.prototype = Object.prototype;
  return fill as unknown as new () => T;
}

/** The bytes of new messages: none. */
export const noBytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);

/** Adds an entry to a map. */
export function setEntry<T>(map: { [key: string]: T }, key: string, value: T): void {
  if (key !== "__proto__") map[key] = value;
  else Object.defineProperty(map, key, { value, writable: true, enumerable: true, configurable: true });
}
