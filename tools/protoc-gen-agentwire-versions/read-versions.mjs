// @ts-check
import { getOption, hasOption } from "@bufbuild/protobuf";

/**
 * @typedef {import("@bufbuild/protobuf").DescEnum} DescEnum
 * @typedef {import("@bufbuild/protobuf").DescEnumValue} DescEnumValue
 * @typedef {import("@bufbuild/protobuf").DescExtension} DescExtension
 * @typedef {import("@bufbuild/protobuf").DescField} DescField
 * @typedef {import("@bufbuild/protobuf").DescFile} DescFile
 * @typedef {import("@bufbuild/protobuf").DescMessage} DescMessage
 * @typedef {import("@bufbuild/protobuf").DescMethod} DescMethod
 */

/**
 * Minors of API 2.x. `fields` and `enumValues` have only what is newer than its message or enum.
 *
 * @typedef {object} Versions
 * @property {number} newest
 * @property {Map<string, Map<string, number>>} methods by service, then local method name
 * @property {Map<string, number>} messages by full name
 * @property {Map<string, number>} enums by full name
 * @property {Map<string, Map<string, number>>} fields by message, then local field name
 * @property {Map<string, Map<string, number>>} enumValues by enum, then local value name
 */

const versionedPackages = ["coder.agent.v2", "coder.tailnet.v2"];
const optionsPackage = "agentwire.options.v1";

/**
 * Reads the `since` options of the versioned packages. Other packages are not looked at.
 *
 * @param {readonly DescFile[]} files what the plugin was asked to generate
 * @param {readonly DescFile[]} allFiles the same with imports, where the options are defined
 * @returns {Versions}
 * @throws an Error that lists everything that is wrong
 */
export function readVersions(files, allFiles) {
  const reader = new Reader(findExtensions(allFiles));
  for (const name of versionedPackages) {
    const inPackage = files.filter((file) => file.proto.package === name);
    if (inPackage.length === 0) {
      throw new Error(`package ${name} is not in this call: use "strategy: all" and the whole proto folder`);
    }
    for (const file of inPackage) {
      reader.readFile(file);
    }
  }
  return reader.finish();
}

class Reader {
  /** @type {Versions} */
  #versions = {
    newest: 0,
    methods: new Map(),
    messages: new Map(),
    enums: new Map(),
    fields: new Map(),
    enumValues: new Map(),
  };

  /** @type {string[]} */
  #problems = [];

  /** @type {Map<string, DescExtension>} */
  #extensions;

  /** @param {Map<string, DescExtension>} extensions */
  constructor(extensions) {
    this.#extensions = extensions;
  }

  /** @param {DescFile} file */
  readFile(file) {
    for (const service of file.services) {
      const methods = new Map();
      this.#versions.methods.set(service.typeName, methods);
      for (const method of service.methods) {
        methods.set(method.localName, this.#since(method, "method_since", undefined));
      }
    }
    for (const message of file.messages) {
      this.#readMessage(message, undefined);
    }
    for (const enumeration of file.enums) {
      this.#readEnum(enumeration, undefined);
    }
  }

  /**
   * @param {DescMessage} message
   * @param {number | undefined} parent
   */
  #readMessage(message, parent) {
    const since = this.#since(message, "message_since", parent);
    this.#versions.messages.set(message.typeName, since);
    this.#readMembers(message.typeName, message.fields, "field_since", since, this.#versions.fields);
    for (const nested of message.nestedMessages) {
      this.#readMessage(nested, since);
    }
    for (const nested of message.nestedEnums) {
      this.#readEnum(nested, since);
    }
  }

  /**
   * @param {DescEnum} enumeration
   * @param {number | undefined} parent
   */
  #readEnum(enumeration, parent) {
    const since = this.#since(enumeration, "enum_since", parent);
    const { typeName, values } = enumeration;
    this.#versions.enums.set(typeName, since);
    this.#readMembers(typeName, values, "enum_value_since", since, this.#versions.enumValues);
  }

  /**
   * @param {string} typeName
   * @param {readonly (DescField | DescEnumValue)[]} members
   * @param {string} option
   * @param {number} parent
   * @param {Map<string, Map<string, number>>} target
   */
  #readMembers(typeName, members, option, parent, target) {
    const newer = new Map();
    for (const member of members) {
      const since = this.#since(member, option, parent);
      if (since !== parent) {
        newer.set(member.localName, since);
      }
    }
    if (newer.size > 0) {
      target.set(typeName, newer);
    }
  }

  /**
   * The value of the option, else that of the thing around.
   *
   * @param {DescMethod | DescMessage | DescField | DescEnum | DescEnumValue} desc
   * @param {string} option
   * @param {number | undefined} parent undefined: the option is required
   * @returns {number}
   */
  #since(desc, option, parent) {
    const extension = this.#extensions.get(option);
    if (extension === undefined) {
      throw new Error(`${optionsPackage} has no option ${option}`);
    }
    if (!hasOption(desc, extension)) {
      if (parent === undefined) {
        this.#problems.push(`${desc} needs option (${optionsPackage}.${option})`);
      }
      return parent ?? 0;
    }
    const since = Number(getOption(desc, extension));
    if (parent !== undefined && since <= parent) {
      this.#problems.push(`${desc} has ${option} = ${since}, which is not later than ${parent} around it`);
    }
    this.#versions.newest = Math.max(this.#versions.newest, since);
    return since;
  }

  /** @returns {Versions} */
  finish() {
    if (this.#problems.length > 0) {
      throw new Error(`the schemas do not say since when:\n  ${this.#problems.join("\n  ")}`);
    }
    return this.#versions;
  }
}

/**
 * The options come with the call like any other schema, so nothing generated is needed to read them.
 *
 * @param {readonly DescFile[]} files
 * @returns {Map<string, DescExtension>} by name within the package
 */
function findExtensions(files) {
  const found = files
    .filter((file) => file.proto.package === optionsPackage)
    .flatMap((file) =>
      file.extensions.map((extension) => /** @type {const} */ ([extension.name, extension])),
    );
  return new Map(found);
}
