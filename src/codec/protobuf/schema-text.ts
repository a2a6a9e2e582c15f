/**
 * The descriptor of a file of schemas, in the base64 that protobuf-es takes. Generated code has it as a text that is a
 * third as large in a bundle:
 *
 * - First the names of the file and of the package.
 * - A line that begins with a name is a message with its fields. What is within it is on lines behind it that begin with
 *   one space more: messages, enums, and `-5 6` for numbers from 5 to before 6 that are reserved.
 * - `itsName` is the field `its_name`, and is text; `name:h` is of another type. `name=7` has a number that is not the next
 *   one, `name|oneof` is in a oneof. Names are as generated code has them, with which they stand in a bundle.
 * - A type is a letter, of which the first stands for type 1, or the name of a message; `~` begins one that is within this
 *   message, `.` one that has its package, `%` an enum. `*` before it repeats it, `?` makes it optional, `i:e` is a map.
 * - `[Name` is an enum with its values in small letters, numbered from 0.
 * - `<Name` is a service. `Method` takes `MethodRequest` and gives `MethodResponse`, `Method:In:*Out` others, and a stream.
 */
export function descriptorOf(schema: string): string {
  const lines = schema.split("\n");
  const [file = "", pkg = ""] = wordsOf(lines[0]);
  let at = 1;

  const typeName = (name: string) => (name[0] === "." ? name : `.${pkg}.${name}`);

  const typed = (type = "", path = "") => {
    if (!type) return integer(5, 9);
    if (type.length === 1) return integer(5, type.charCodeAt(0) - 96);
    const name = type.replace("%", "").replace("~", `${path}.`);
    return integer(5, type[0] === "%" ? 14 : 11) + bytes(6, typeName(name));
  };

  const message = (name: string, fields: string[], scope: string, within = ""): string => {
    const path = scope + name;
    // those that only stand for an optional field come last
    const oneofs = [...new Set(fields.join(" ").match(/(?<=\|)\w+/g))];
    let written = bytes(1, name);
    let entries = "";
    let last = 0;
    for (const word of fields) {
      const [, itsName = "", no, oneof, label, type, value] =
        /(\w+)=?(\d*)\|?(\w*):?([*?]?)([^:]*):?(.*)/.exec(word) ?? [];
      const fieldName = itsName.replace(/(?<=^[a-z].*)[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      last = no ? Number(no) : last + 1;
      let itsType = typed(type, path);
      if (value) {
        const entry = `${itsName.replace(/(?:^|_)(\w)/g, (_all, letter: string) => letter.toUpperCase())}Entry`;
        itsType = typed(`~${entry}`, path);
        entries += bytes(
          3,
          message(entry, [`key:${type}`, `value:${value}`], `${path}.`) + bytes(7, integer(7, 1)),
        );
      }
      let options = oneof ? integer(9, oneofs.indexOf(oneof)) : "";
      if (label === "?") options = integer(9, oneofs.push(`_${fieldName}`) - 1) + integer(17, 1);
      const isList = label === "*" || value;
      written += bytes(
        2,
        bytes(1, fieldName) + integer(3, last) + integer(4, isList ? 3 : 1) + itsType + options,
      );
    }
    written += within + entries;
    for (const oneof of oneofs) written += bytes(8, bytes(1, oneof));
    return written;
  };

  /** What is on the lines that begin so, which is all that is within a message, or the file. */
  const types = (no: number, scope: string, indent: string): string => {
    let written = "";
    while (lines[at]?.startsWith(indent)) {
      const [first = "", ...words] = wordsOf(lines[at++]?.slice(indent.length));
      const name = first.slice(1);
      if (first[0] === "[") written += bytes(no + 1, enumeration(name, words));
      else if (first[0] === "<") written += bytes(6, service(name, words));
      else if (first[0] === "-") written += bytes(9, integer(1, Number(name)) + integer(2, Number(words[0])));
      else written += bytes(no, message(first, words, scope, types(3, `${scope + first}.`, `${indent} `)));
    }
    return written;
  };

  const service = (name: string, methods: string[]) => {
    let written = bytes(1, name);
    for (const word of methods) {
      const [method = "", input = "", output = ""] = word.split(":");
      const plain = (type: string, usual: string) => typeName(type.replace("*", "") || method + usual);
      const types = bytes(2, plain(input, "Request")) + bytes(3, plain(output, "Response"));
      const streams = (input[0] === "*" ? integer(5, 1) : "") + (output[0] === "*" ? integer(6, 1) : "");
      written += bytes(2, bytes(1, method) + types + streams);
    }
    return written;
  };

  return btoa(bytes(1, file) + bytes(2, pkg) + types(4, "", "") + bytes(12, "proto3"));
}

function enumeration(name: string, values: string[]): string {
  let written = bytes(1, name);
  let last = -1;
  for (const word of values) {
    const [value = "", no] = word.toUpperCase().split("=");
    last = no ? Number(no) : last + 1;
    written += bytes(2, bytes(1, value) + integer(2, last));
  }
  return written;
}

function bytes(no: number, value: string): string {
  return varint(no * 8 + 2) + varint(value.length) + value;
}

function integer(no: number, value: number): string {
  return varint(no * 8) + varint(value);
}

function varint(value: number): string {
  return value < 0x80
    ? String.fromCharCode(value)
    : String.fromCharCode((value & 0x7f) | 0x80) + varint(value >>> 7);
}

function wordsOf(line = ""): string[] {
  return line.split(" ");
}
